package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// gatherBeats is the silence after which a deadline does not wait for a node's answer (decision D26). A backend is told
// 204 only when a node has answered or counts as dead.
const gatherBeats = 3 * beatInterval

// live are the other nodes that have been heard of within three beats.
func (p *Pool) live() []names.NodeID { return p.nodes.heardWithin(gatherBeats) }

const (
	// strangersFor is how long after the start, or a reconnect, there may be nodes that have not been heard of.
	strangersFor = 3 * beatInterval / 2
	// strangersWait is how long the answers of such nodes are waited for.
	strangersWait = 250 * time.Millisecond
)

// askAll sends a question to all nodes and hands the answer of each node that has been heard of within silence to each,
// one by one. It fails with port.ErrTimeout when one of them does not answer before ctx ends, with port.ErrUnavailable
// while NATS is away.
func (p *Pool) askAll(ctx context.Context, silence time.Duration, m port.Message, each func(port.Message)) error {
	missing := map[names.NodeID]bool{}
	for _, id := range p.nodes.heardWithin(silence) {
		missing[id] = true
	}
	strangers := nowMilli() < p.strangersUntil.Load()
	if len(missing) == 0 && !strangers {
		if !p.deps.Bus.Up() {
			return port.ErrUnavailable
		}
		return nil
	}
	return p.ask(ctx, m, missing, strangers, each)
}

// errAllAnswered ends the wait for strangers.
var errAllAnswered = errors.New("all have answered")

// ask asks until all that are missing have answered and, with strangers, until others have had the time to.
func (p *Pool) ask(ctx context.Context, m port.Message, missing map[names.NodeID]bool, strangers bool, each func(port.Message)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var left atomic.Int64 // that must still answer; the wait for strangers is one of them
	left.Store(int64(len(missing)))
	if strangers {
		left.Add(1)
		defer time.AfterFunc(strangersWait, func() {
			if left.Add(-1) == 0 {
				cancel(errAllAnswered)
			}
		}).Stop()
	}
	answered := map[names.NodeID]bool{}
	err := p.deps.Bus.RequestMany(ctx, port.LaneOrdered, m, func(reply port.Message) bool {
		id := names.NodeID(reply.Header.Get(port.HeaderNode))
		if id == p.deps.Node || answered[id] || !missing[id] && !strangers {
			return true
		}
		answered[id] = true
		each(reply)
		return !missing[id] || left.Add(-1) > 0
	})
	switch {
	case errors.Is(context.Cause(ctx), errAllAnswered), errors.Is(err, port.ErrNoResponders) && len(missing) == 0:
		return nil
	case errors.Is(err, port.ErrNoResponders):
		return errors.Join(port.ErrTimeout, err)
	}
	return err
}

// maxAsync bounds the commands under way that wait for the store; beyond, they are refused.
const maxAsync = 4096

// async runs f, which may wait, on a goroutine of its own; false: too many are under way.
func (p *Pool) async(f func(ctx context.Context)) bool {
	if p.asyncCount.Add(1) > maxAsync {
		p.asyncCount.Add(-1)
		return false
	}
	p.wg.Go(func() {
		defer p.asyncCount.Add(-1)
		ctx, cancel := context.WithTimeout(p.ctx, answerTimeout)
		defer cancel()
		f(ctx)
	})
	return true
}

// heardWithin are the nodes that have been heard of within d.
func (n *nodes) heardWithin(d time.Duration) []names.NodeID {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	out := make([]names.NodeID, 0, len(n.seen))
	for id, at := range n.seen {
		if now-at < d {
			out = append(out, id)
		}
	}
	return out
}

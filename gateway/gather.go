package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// gatherBeats is the silence after which nobody waits for a node's answer (decision D26).
const gatherBeats = 3 * beatInterval

// live are the other nodes that have been heard of within three beats.
func (p *Pool) live() []names.NodeID { return p.nodes.heardWithin(gatherBeats) }

// askAll sends a question to all nodes and hands the answer of each node that lives to each, one by one. It fails with
// port.ErrTimeout when one that lives does not answer before ctx ends, with port.ErrUnavailable while NATS is away.
func (p *Pool) askAll(ctx context.Context, m port.Message, each func(port.Message)) error {
	missing := map[names.NodeID]bool{}
	for _, id := range p.live() {
		missing[id] = true
	}
	if len(missing) == 0 {
		if !p.deps.Bus.Up() {
			return port.ErrUnavailable
		}
		return nil
	}
	err := p.deps.Bus.RequestMany(ctx, port.LaneOrdered, m, func(reply port.Message) bool {
		id := names.NodeID(reply.Header.Get(port.HeaderNode))
		if missing[id] {
			delete(missing, id)
			each(reply)
		}
		return len(missing) > 0
	})
	if errors.Is(err, port.ErrNoResponders) {
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

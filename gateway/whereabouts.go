package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// whereabouts is what a node answers about a user: until when its connections want the user active, and how many it has.
type whereabouts struct {
	Until int64 `json:"until"`
	Conns int   `json:"conns"`
}

// askWhereabouts asks all other nodes about a user and returns the latest deadline and the sum of the connections.
func (p *Pool) askWhereabouts(ctx context.Context, user names.UserID) (until int64, conns int, err error) {
	question := port.Message{Subject: p.deps.Space.User(user, opActive), Header: p.nodes.header}
	err = p.askAll(ctx, gatherBeats, question, func(m port.Message) {
		var w whereabouts
		if json.Unmarshal(m.Data, &w) == nil {
			until, conns = max(until, w.Until), conns+max(w.Conns, 0)
		}
	})
	return until, conns, err
}

// notified remembers which handlers have answered a notice, so that a repetition reaches only the others.
type notified struct {
	mu    sync.Mutex // guards the following
	done  map[string]answered
	swept time.Time
}

// answered are the handlers that have answered a notice, the first of them at a time.
type answered struct {
	by map[names.Destination]bool
	at time.Time
}

const (
	// maxNotified bounds the notices that are remembered; beyond, a handler may be told again with the same request id.
	maxNotified = 100_000
	// notifiedLife is more than the time after which a notice is given up. It is forgotten then; nobody tells us.
	notifiedLife = 15 * time.Minute
)

func (n *notified) has(id string, d names.Destination) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.done[id].by[d]
}

func (n *notified) note(id string, d names.Destination) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if now.Sub(n.swept) >= time.Minute {
		n.swept = now
		maps.DeleteFunc(n.done, func(_ string, a answered) bool { return now.Sub(a.at) >= notifiedLife })
	}
	if n.done == nil {
		n.done = map[string]answered{}
	}
	a, known := n.done[id]
	if !known {
		if len(n.done) >= maxNotified {
			return
		}
		a = answered{map[names.Destination]bool{}, now}
		n.done[id] = a
	}
	a.by[d] = true
}

func (n *notified) forget(id string) {
	n.mu.Lock()
	delete(n.done, id)
	n.mu.Unlock()
}

// notify tells every inactivity handler that a user has become inactive (protocol §10.4). A nil error means that all have
// answered with a status below 500; else those that have not are told again.
func (p *Pool) notify(ctx context.Context, user names.UserID, requestID string) error {
	var (
		mu   sync.Mutex // guards errs
		errs []error
		wg   sync.WaitGroup
	)
	for _, dest := range p.cfg.Load().InactivityHandlers {
		if p.notified.has(requestID, dest) {
			continue
		}
		wg.Go(func() {
			err := p.backend.Inactive(ctx, dest, backend.Level(p.level.Load()), user, requestID)
			if err == nil {
				p.notified.note(requestID, dest)
				return
			}
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(errs) == 0 {
		p.notified.forget(requestID)
	}
	return errors.Join(errs...)
}

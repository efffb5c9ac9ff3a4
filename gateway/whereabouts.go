package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

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
	err = p.askAll(ctx, port.Message{Subject: p.deps.Space.User(user, opActive), Header: p.nodes.header}, func(m port.Message) {
		var w whereabouts
		if json.Unmarshal(m.Data, &w) == nil {
			until, conns = max(until, w.Until), conns+max(w.Conns, 0)
		}
	})
	return until, conns, err
}

// notified remembers which handlers have answered a notice, so that a repetition reaches only the others.
type notified struct {
	mu   sync.Mutex // guards done
	done map[string]map[names.Destination]bool
}

// maxNotified bounds the notices that are remembered; beyond, a handler may be told again with the same request id.
const maxNotified = 100_000

func (n *notified) has(id string, d names.Destination) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.done[id][d]
}

func (n *notified) note(id string, d names.Destination) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.done == nil {
		n.done = map[string]map[names.Destination]bool{}
	}
	if n.done[id] == nil && len(n.done) < maxNotified {
		n.done[id] = map[names.Destination]bool{}
	}
	if m := n.done[id]; m != nil {
		m[d] = true
	}
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

package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// UpdateLattice merges an update of a backend into a namespace. A nil error means that it is in the snapshot store (in a
// mesh: that another node has it too), that this node's clients have it in their outboxes, and that NATS has taken it for
// the others (decision D15). Errors: port.ErrLimit, port.ErrTooLarge, port.ErrStoreFull and port.ErrUnavailable (nothing
// was applied), port.ErrTimeout (unknown).
func (p *Pool) UpdateLattice(ctx context.Context, ns names.Namespace, d *lattice.Delta) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	err := p.lattices.Update(ctx, ns, d)
	if err != nil && !errors.Is(err, port.ErrTimeout) {
		return err
	}
	for i := range d.Private {
		// Data for somebody who is not there is kept for a while (decision D21). It may be there also after a timeout.
		p.presence.Touch(d.Private[i].User)
	}
	return err
}

// AttachLattice updates a namespace and attaches a connection to it: the client gets the whole visible state, and every
// change from then on. One that is attached already gets the change first (decision D19). Errors as UpdateLattice's and
// port.ErrGone: then the update was merged nevertheless, unless strict-api is set (decision D16). With port.ErrLimit
// because the connection is attached to too much nothing was merged (decision D22), unless the last place was taken by
// another request at the same time.
func (p *Pool) AttachLattice(ctx context.Context, id names.ConnID, ns names.Namespace, d *lattice.Delta) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if d.Shared.Len() > 0 || len(d.Private) > 0 {
		gone := p.hasRoom(ctx, id, ns)
		if gone != nil && (!errors.Is(gone, port.ErrGone) || p.cfg.Load().StrictAPI) {
			return gone
		}
		if err := p.UpdateLattice(ctx, ns, d); err != nil {
			return err
		}
		if gone != nil {
			return gone
		}
	}
	if id.Node != p.deps.Node {
		return p.remote(ctx, id, opAttach, []byte(ns))
	}
	a, err := p.attach(id.N, ns)
	if err != nil || a == nil {
		return err
	}
	return p.show(ctx, a)
}

// DetachLattice ends what AttachLattice began; what was never begun is none to end. Errors: port.ErrGone,
// port.ErrUnavailable, port.ErrTimeout.
func (p *Pool) DetachLattice(ctx context.Context, id names.ConnID, ns names.Namespace) error {
	if id.Node == p.deps.Node {
		return p.detach(id.N, ns)
	}
	return p.remote(ctx, id, opDetach, []byte(ns))
}

// hasRoom tells whether a connection could be attached to a namespace now, wherever it is. Errors: port.ErrGone,
// port.ErrLimit, port.ErrUnavailable, port.ErrTimeout.
func (p *Pool) hasRoom(ctx context.Context, id names.ConnID, ns names.Namespace) error {
	if id.Node == p.deps.Node {
		return p.room(id.N, ns)
	}
	return p.remote(ctx, id, opInfo, []byte(ns))
}

// serveUpdate takes an acknowledged update of a backend over NATS. Each runs on its own goroutine: it waits for the
// store, and all that wait there share the work.
func (p *Pool) serveUpdate(m port.Message) {
	ns, d, err := p.parseUpdate(m)
	if err != nil {
		p.deps.Metrics.badMessages.Add(1)
		p.answer(m, err)
		return
	}
	if !p.async(func(ctx context.Context) { p.answer(m, p.UpdateLattice(ctx, ns, d)) }) {
		p.answer(m, port.ErrUnavailable)
	}
}

func (p *Pool) parseUpdate(m port.Message) (names.Namespace, *lattice.Delta, error) {
	ns, err := p.deps.Space.ParseLatticeUpdate(m.Subject)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", port.ErrMalformed, err)
	}
	if int64(len(m.Data)) > p.cfg.Load().MaxPayloadSize {
		return "", nil, port.ErrTooLarge
	}
	if err := jsontext.Check(m.Data); err != nil {
		return "", nil, fmt.Errorf("%w: %w", port.ErrMalformed, err)
	}
	d, err := lattice.ParseDelta(m.Data, nowMilli(), p.cfg.Load().Limits)
	return ns, d, err
}

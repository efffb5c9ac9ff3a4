package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// target is one document of an update.
type target struct {
	doc   names.Doc
	delta content
	// first is what the store held when the update was checked.
	first *held
	w     waiter
	round *round
	err   error
}

// Update merges an update of a backend (endpoints 4 and 6, S.api.lattice). nil is the promise of decision D15: it is
// committed, delivered to this node's views, announced and handed to NATS. d belongs to the Set afterwards and must not
// be changed. It gives up after 10 s, or earlier with ctx.
//
// Errors: port.ErrLimit (nothing was applied), port.ErrTooLarge, port.ErrStoreFull, port.ErrUnavailable (nothing was
// applied, unless the update has several documents), port.ErrTimeout (it may have been applied). Whatever was applied
// can be repeated without harm.
func (s *Set) Update(ctx context.Context, ns names.Namespace, d *lattice.Delta) error {
	if s.mesh != nil {
		return s.mesh.update(ctx, ns, d)
	}
	ts := targets(ns, d)
	switch {
	case len(ts) == 0:
		return nil
	case !s.bus.Up():
		return fmt.Errorf("update: %w", port.ErrUnavailable)
	case s.accepts():
		return s.updateOrRemember(ctx, ts)
	}
	return s.update(ctx, ts)
}

// targets takes an update apart: one document per shared key and per user. A user without keys has none.
func targets(ns names.Namespace, d *lattice.Delta) []target {
	ts := make([]target, 0, d.Shared.Len()+len(d.Private))
	for k, st := range d.Shared.All() {
		ts = append(ts, target{doc: names.SharedOf(ns, k), delta: content{shared: *st}})
	}
	for i := range d.Private {
		if p := &d.Private[i]; p.Keys.Len() > 0 {
			ts = append(ts, target{doc: names.PrivateOf(ns, p.User), delta: content{private: p.Keys}})
		}
	}
	return ts
}

func (s *Set) update(ctx context.Context, ts []target) error {
	if len(ts) == 1 {
		return s.updateOne(ctx, &ts[0])
	}
	if err := s.check(ctx, ts); err != nil {
		return err
	}
	s.commitAll(ctx, ts)
	rounds := make([]*round, 0, len(ts))
	var err error
	for i := range ts {
		err = worse(err, ts[i].err)
		if ts[i].round != nil {
			rounds = append(rounds, ts[i].round)
		}
	}
	if mine := s.slots.claim(rounds); len(mine) > 0 {
		s.announce(mine)
	}
	if err != nil {
		return err
	}
	return s.handedOver(ctx, rounds)
}

// worse picks of two errors the one that tells more: that something may have been applied.
func worse(a, b error) error {
	if a == nil || errors.Is(b, port.ErrTimeout) {
		return b
	}
	return a
}

func (s *Set) updateOne(ctx context.Context, t *target) error {
	t.w.change.delta = &t.delta
	return s.commitLone(ctx, t.doc, &t.w)
}

// check holds an update of several documents against the limits before any of them is changed.
func (s *Set) check(ctx context.Context, ts []target) error {
	docs := make([]names.Doc, len(ts))
	for i := range ts {
		docs[i] = ts[i].doc
	}
	entries := make([]port.Entry, 0, len(docs))
	for at := 0; at < len(docs); at += readBatch {
		piece, err := s.readMany(ctx, docs[at:min(at+readBatch, len(docs))])
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		entries = append(entries, piece...)
	}
	created, now := 0, s.nowMs()
	for i := range ts {
		t := &ts[i]
		h, err := read(t.doc.Kind, entries[i], now)
		if err != nil {
			return err
		}
		t.first = &h
		if !h.exists && t.doc.Kind == names.SharedDoc {
			created++
		}
		after := h.clone(t.doc.Kind)
		after.apply(t.doc.Kind, &t.delta, now, h.fresh(now))
		if err := after.check(t.doc.Kind, s.limits()); err != nil {
			s.metrics.limited.Add(1)
			return err
		}
	}
	if created > 0 {
		return s.counts.room(ctx, ts[0].doc.Namespace, created)
	}
	return nil
}

// commitAll commits all documents, some of them at the same time, and returns when all have ended or ctx has.
func (s *Set) commitAll(ctx context.Context, ts []target) {
	next := make(chan *target)
	var wg sync.WaitGroup
	for range min(len(ts), maxParallel) {
		wg.Go(func() {
			for t := range next {
				t.err = s.commitOne(ctx, t)
			}
		})
	}
	for i := range ts {
		next <- &ts[i]
	}
	close(next)
	wg.Wait()
}

func (s *Set) commitOne(ctx context.Context, t *target) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	t.w.change.delta = &t.delta
	r, err := s.slots.join(ctx, t.doc, &t.w, false, t.first)
	if err != nil {
		return err
	}
	t.round = r
	select {
	case <-r.committed:
		if r.err != nil {
			return r.err
		}
		return t.w.err
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

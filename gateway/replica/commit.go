package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// commit merges the changes of a round into the store by compare-and-swap: read, merge, write. Wrong revision, timeout
// and disconnect are handled alike, since merging again is harmless: read again and go on until ctx ends. Waiters whose
// change breaks a limit are left out. It runs on the slot's one runner.
func (s *Set) commit(ctx context.Context, sl *slot, r *round) error {
	latest, unsure := false, false // read from the leader; a write may have been done
	for try := 0; ; try++ {
		if try > 2 {
			if err := pause(ctx, try); err != nil {
				return failed(r.doc, err)
			}
		}
		if !sl.known && try == 0 {
			sl.have, sl.known = s.recent.take(r.doc)
			sl.guess = sl.known
		}
		if !sl.known {
			var err error
			sl.guess, sl.size = false, 0
			if sl.have, err = s.get(ctx, r.doc, latest); err != nil {
				if ctx.Err() != nil || !unsure && errors.Is(err, port.ErrUnavailable) {
					return failed(r.doc, err)
				}
				continue
			}
			sl.known = true
		}
		seq, err := s.attempt(ctx, sl, r)
		switch {
		case err == nil && sl.guess:
			// Nothing grew, and nobody has said that the store still holds it.
			sl.known = false
			continue
		case err == nil:
			r.change.prev, sl.have.rev = sl.have.rev, seq
			r.change.seq = seq
			return nil
		case errors.Is(err, port.ErrRevision):
			s.metrics.lostRaces.Add(1)
		case errors.Is(err, port.ErrTooLarge) && r.leaveOut(failed(r.doc, err)):
			continue
		case errors.Is(err, port.ErrTooLarge), errors.Is(err, port.ErrStoreFull), errors.Is(err, port.ErrLimit):
			sl.known = false
			return failed(r.doc, err)
		case ctx.Err() != nil, !unsure && errors.Is(err, port.ErrUnavailable):
			sl.known = false
			return failed(r.doc, err)
		default:
			unsure = unsure || !errors.Is(err, port.ErrUnavailable)
		}
		sl.known, latest = false, true
	}
}

func failed(doc names.Doc, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, port.ErrTimeout) {
		err = fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return fmt.Errorf("commit %s: %w", doc.StoreKey(), err)
}

// attempt merges the round into what the store is believed to hold and writes it, if anything grew. Then the round's
// change and sl.have are what they are after it, but for the revision, which is returned.
func (s *Set) attempt(ctx context.Context, sl *slot, r *round) (seq uint64, err error) {
	m := s.blend(&sl.have, r)
	r.change, r.tell = m.change, m.tell
	if !m.changed {
		// Announced all the same, unless there is no such document.
		r.tell = r.tell && sl.have.rev > 0
		return sl.have.rev, nil
	}
	if !sl.have.exists && r.doc.Kind == names.SharedDoc {
		if err := s.counts.room(ctx, r.doc.Namespace, 1); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	text := m.next.appendStored(nil, r.doc.Kind)
	seq, err = s.store.CompareAndSwap(ctx, r.doc.StoreKey(), sl.have.rev, text, m.ttl)
	if err != nil {
		return 0, err
	}
	sl.guess, sl.size = false, len(text)
	s.metrics.commits.Add(1)
	if !sl.have.exists && r.doc.Kind == names.SharedDoc {
		s.counts.created(r.doc.Namespace)
	}
	sl.have = held{content: m.next, rev: sl.have.rev, exists: true}
	return seq, nil
}

func (s *Set) get(ctx context.Context, doc names.Doc, latest bool) (held, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	get := s.store.Get
	if latest {
		get = s.store.GetLatest
	}
	e, err := get(ctx, doc.StoreKey())
	if err != nil {
		return held{}, err
	}
	return read(doc.Kind, e, s.nowMs())
}

// pause waits a little, more with each try, so that nodes that write the same document get out of step.
func pause(ctx context.Context, try int) error {
	limit := min(time.Duration(try)*5*time.Millisecond, 100*time.Millisecond)
	t := time.NewTimer(time.Millisecond + rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

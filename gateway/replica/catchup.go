package replica

import (
	"context"
	"errors"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// keepUp reads from the store what this node has not heard of, at most once a second, until ctx ends: when a hole in the
// sequence has stayed for a second, after a gap, and every 5 s to be sure.
func (s *Set) keepUp(ctx context.Context) {
	next := time.Now() // of the look that is taken in any case
	var last time.Time // the last look
	for {
		wait := time.Until(s.due(next))
		if wait = max(wait, time.Until(last.Add(catchUpPause))); wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-s.catchUp:
				t.Stop()
				continue
			case <-ctx.Done():
				t.Stop()
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		last = time.Now()
		err := s.look(ctx)
		s.setAway(err != nil)
		if err != nil {
			s.log.Debug("Store could not be read", "err", err)
			next = last.Add(catchUpPause)
			continue
		}
		next = last.Add(pollInterval)
	}
}

// due is when the store must be looked at: next, or earlier.
func (s *Set) due(next time.Time) time.Time {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	if s.gap {
		return time.Now()
	}
	if at, ok := s.mark.due(); ok && at.Before(next) {
		return at
	}
	return next
}

// look compares what this node knows with the store's last sequence, and reads what is missing.
func (s *Set) look(ctx context.Context) error {
	lookCtx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	begun := time.Now()
	end, err := s.store.LastSequence(lookCtx)
	if err != nil {
		return err
	}
	s.markMu.Lock()
	first, low := s.synced.IsZero(), s.mark.low
	s.markMu.Unlock()
	switch {
	case first:
		s.begin(end, begun)
		return nil
	case end < low && !s.below:
		// A leader that has just been elected may not have counted all that there is: it is asked once more.
		s.below = true
		return errBelow
	case end < low:
		s.below = false
		s.lost(end, begun)
		return nil
	}
	s.below = false
	behind, reread := s.note(end, begun)
	if reread {
		if err := s.reread(ctx); err != nil {
			return err
		}
	}
	if !behind && !reread {
		return nil
	}
	s.metrics.catchUps.Add(1)
	if err := s.changes(ctx); err != nil {
		return err
	}
	s.reached(begun, reread)
	return nil
}

var errBelow = errors.New("the store has fewer commits than are known")

// begin takes the store's last sequence as the one from which on everything will be heard. What was committed before is
// read when somebody looks at it.
func (s *Set) begin(end uint64, now time.Time) {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	s.mark.advance(end, now)
	s.synced, s.gap = now, false
}

// note takes the store's last sequence. It tells whether something must be read: all that was missed, or, after this
// node was out of touch for longer than marks live, everything that is followed.
func (s *Set) note(end uint64, now time.Time) (behind, reread bool) {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	if s.mark.low >= s.target && !s.targetAt.IsZero() {
		s.synced = s.targetAt
	}
	at, hole := s.mark.due()
	hole = hole && !at.After(now)
	if hole {
		s.metrics.holes.Add(1)
	}
	behind = hole || s.gap && end > s.mark.low
	reread = now.Sub(s.synced) > markLife
	s.gap = false
	s.mark.clamp(end, now)
	if s.mark.low >= end {
		s.synced, s.targetAt = now, time.Time{}
	} else if s.targetAt.IsZero() || s.mark.low >= s.target {
		s.target, s.targetAt = end, now
	}
	return behind, reread
}

// changes reads the last change of every document that changed above the mark.
func (s *Set) changes(ctx context.Context) error {
	for {
		s.markMu.Lock()
		low := s.mark.low
		s.markMu.Unlock()
		pageCtx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
		page, err := s.store.Changes(pageCtx, names.AllDocs, low, pageLength)
		cancel()
		if err != nil {
			return err
		}
		to := s.takePage(page.Changes)
		s.markMu.Lock()
		s.mark.advance(to, time.Now())
		s.markMu.Unlock()
		if page.More == 0 || to <= low {
			return nil
		}
	}
}

// takePage merges a page of changes and returns the highest number in it.
func (s *Set) takePage(changes []port.Change) (to uint64) {
	batches := make(map[names.Namespace][]docChange)
	for _, c := range changes {
		to = max(to, c.Revision)
		doc, err := names.ParseStoreKey(c.Key)
		switch {
		case err != nil:
			s.metrics.bad.Add(1)
		case doc.Kind == names.RecordDoc:
			s.tellRecord(doc.User, c.Value)
		case s.wanted(doc.Namespace)(doc):
			batches[doc.Namespace] = append(batches[doc.Namespace], s.stored(doc, c.Entry, asWhole))
		}
	}
	for ns, batch := range batches {
		s.deliver(ns, batch)
	}
	return to
}

// reached looks whether a catch-up closed the hole. A number that a second one, at least a second later, does not find
// either was the mark of a removal and is past.
func (s *Set) reached(begun time.Time, reread bool) {
	s.markMu.Lock()
	defer s.markMu.Unlock()
	now := time.Now()
	if s.mark.low < s.target && !s.targetAt.IsZero() && begun.Sub(s.targetAt) >= catchUpPause {
		s.mark.advance(s.target, now)
	}
	if s.mark.low >= s.target && !s.targetAt.IsZero() {
		s.synced, s.targetAt = s.targetAt, time.Time{}
	}
	if reread {
		s.synced = begun
	}
	if s.mark.low < s.mark.high {
		s.mark.since = now
	}
}

// reread reads everything that is followed and drops what is gone: marks of what was removed live for a minute only.
func (s *Set) reread(ctx context.Context) error {
	s.metrics.rereads.Add(1)
	for _, n := range s.all() {
		n.mu.Lock()
		docs := n.docs()
		n.mu.Unlock()
		if err := s.fetch(ctx, docs, asTruth); err != nil {
			return err
		}
		s.loader.second(docs)
	}
	return nil
}

// docs lists the documents of which there are copies. The caller holds the lock.
func (n *namespace) docs() []names.Doc {
	docs := make([]names.Doc, 0, len(n.shared)+len(n.private))
	for k := range n.shared {
		docs = append(docs, names.SharedOf(n.name, k))
	}
	for u := range n.private {
		docs = append(docs, names.PrivateOf(n.name, u))
	}
	return docs
}

package replica

import (
	"context"
	"fmt"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
)

// ScanPrivate goes through all private documents and calls page with the users of some of them, 512 at most, sorted and
// each once; a user with several documents comes again in other pages. It is for finding documents that no record stands
// for. It reads one page of the store at a time, from any replica, which may lag; in a mesh, this node's copies.
// The slice is the callee's. An error of page ends it and is returned.
func (s *Set) ScanPrivate(ctx context.Context, page func(us []names.UserID) error) error {
	if s.mesh != nil {
		return s.mesh.scanPrivate(page)
	}
	for after := uint64(0); ; {
		us, last, more, err := s.privatePage(ctx, after)
		if err != nil {
			return err
		}
		if len(us) > 0 {
			if err := page(us); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		after = last
	}
}

// privatePage reads the users of the next private documents behind a sequence number.
func (s *Set) privatePage(ctx context.Context, after uint64) (us []names.UserID, last uint64, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	p, err := s.store.Changes(ctx, names.AllPrivate, after, pageLength)
	if err != nil {
		return nil, 0, false, fmt.Errorf("private documents: %w", ended(err))
	}
	last = after
	for _, c := range p.Changes {
		last = max(last, c.Revision)
		if doc, err := names.ParseStoreKey(c.Key); err == nil && c.Value != nil {
			us = append(us, doc.User)
		}
	}
	slices.Sort(us)
	return slices.Compact(us), last, p.More > 0 && len(p.Changes) > 0, nil
}

// scanPrivate is ScanPrivate over the copies.
func (m *mesh) scanPrivate(page func(us []names.UserID) error) error {
	for _, n := range m.set.all() {
		us := n.privateUsers()
		slices.Sort(us)
		for piece := range slices.Chunk(us, pageLength) {
			if err := page(slices.Clone(piece)); err != nil {
				return err
			}
		}
	}
	return nil
}

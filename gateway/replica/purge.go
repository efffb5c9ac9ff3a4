package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// PurgePrivate removes all private documents of a user whose private-grace is over (decision D21): each at the revision
// at which it is found, so that a newer write wins. It is announced. In a mesh the keys end instead.
func (s *Set) PurgePrivate(ctx context.Context, u names.UserID) error {
	if s.mesh != nil {
		return s.mesh.purgePrivate(ctx, u)
	}
	type found struct {
		doc names.Doc
		rev uint64
	}
	var all []found
	err := s.scan(ctx, names.PrivateFor(u), func(doc names.Doc, e port.Entry) bool {
		if e.Value != nil {
			all = append(all, found{doc, e.Revision})
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, f := range all {
		if err := s.remove(ctx, f.doc, f.rev); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := s.bus.Flush(ctx); err != nil {
		return notFlushed(err)
	}
	return nil
}

// remove deletes a document at a revision and announces it; a newer write wins.
func (s *Set) remove(ctx context.Context, doc names.Doc, rev uint64) error {
	if s.mesh != nil {
		return s.mesh.end(ctx, doc, rev)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	seq, err := s.store.Delete(ctx, doc.StoreKey(), rev)
	if errors.Is(err, port.ErrRevision) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("purge: %w", ended(err))
	}
	s.metrics.purged.Add(1)
	if doc.Kind == names.SharedDoc {
		s.counts.removed(doc.Namespace)
	}
	_, err = s.share([]docChange{{doc: doc, form: asGone, seq: seq, prev: rev}})
	return err
}

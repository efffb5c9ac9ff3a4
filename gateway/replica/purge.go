package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// PurgePrivate removes the private documents of a user whose private-grace is over (decision D21), but those that were
// written at or after before: the record that tells that somebody wrote may not be there yet. Each is removed at the
// revision at which it is found, so that a newer write wins. kept is when the youngest of those that stay was written;
// zero: none stays. It is announced. In a mesh the keys end instead, and the time is that of this node's copy.
func (s *Set) PurgePrivate(ctx context.Context, u names.UserID, before time.Time) (kept time.Time, err error) {
	if s.mesh != nil {
		return s.mesh.purgePrivate(ctx, u, before)
	}
	type found struct {
		doc names.Doc
		rev uint64
	}
	var all []found
	err = s.scan(ctx, names.PrivateFor(u), func(doc names.Doc, e port.Entry) bool {
		switch {
		case e.Value == nil:
		case e.Written.Before(before):
			all = append(all, found{doc, e.Revision})
		default:
			kept = latest(kept, e.Written)
		}
		return true
	})
	if err != nil {
		return kept, err
	}
	for _, f := range all {
		removed, err := s.remove(ctx, f.doc, f.rev)
		switch {
		case err != nil:
			return kept, err
		case !removed:
			kept = latest(kept, s.deps.Now())
		}
	}
	if len(all) == 0 {
		return kept, nil
	}
	if err := s.bus.Flush(ctx); err != nil {
		return kept, notFlushed(err)
	}
	return kept, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// remove deletes a document at a revision and announces it. It is not removed when a newer write has won.
func (s *Set) remove(ctx context.Context, doc names.Doc, rev uint64) (removed bool, err error) {
	if s.mesh != nil {
		return true, s.mesh.end(ctx, doc, rev)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	seq, err := s.store.Delete(ctx, doc.StoreKey(), rev)
	if errors.Is(err, port.ErrRevision) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("purge: %w", ended(err))
	}
	s.metrics.purged.Add(1)
	if doc.Kind == names.SharedDoc {
		s.counts.removed(doc.Namespace)
	}
	_, err = s.share([]docChange{{doc: doc, form: asGone, seq: seq, prev: rev}})
	return true, err
}

package replica

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// ChangeRecord changes a user's record by compare-and-swap and announces it. f is given the present value (nil: there is
// none) and returns the new one, a JSON text, with its life (0: for ever), or nil to leave it. f must be pure: it may
// run several times, and it runs on another goroutine, but not after ChangeRecord has returned nil. The value after the
// change is returned. nil is the promise of decision D15: committed and handed to NATS. Errors as those of Update.
func (s *Set) ChangeRecord(ctx context.Context, u names.UserID, f func(old []byte) (value []byte, ttl time.Duration)) ([]byte, error) {
	if s.mesh != nil {
		return s.mesh.changeRecord(ctx, u, f)
	}
	if !s.bus.Up() {
		return nil, fmt.Errorf("record: %w", port.ErrUnavailable)
	}
	w := waiter{}
	endless := false
	w.change.edit = func(old []byte) ([]byte, time.Duration) {
		value, ttl := f(old)
		endless = ttl == 0
		return value, ttl
	}
	if err := s.commitLone(ctx, names.RecordOf(u), &w); err != nil {
		return nil, err
	}
	s.own.wrote(u, w.record, endless)
	return w.record, nil
}

// commitLone commits one change that is all of its update, and returns when it is committed, announced and flushed.
func (s *Set) commitLone(ctx context.Context, doc names.Doc, w *waiter) error {
	r, err := s.slots.join(ctx, doc, w, true, nil)
	if err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ended(ctx.Err())
	}
	switch {
	case r.err != nil:
		return r.err
	case w.err != nil:
		return w.err
	case r.sent != nil:
		return r.sent
	}
	return r.flushed
}

// LoadRecords returns the records of users, aligned with us; nil where there is none. It may lag behind what was changed
// a moment ago.
func (s *Set) LoadRecords(ctx context.Context, us []names.UserID) ([][]byte, error) {
	if s.mesh != nil {
		return s.mesh.loadRecords(us), nil
	}
	out := make([][]byte, 0, len(us))
	for at := 0; at < len(us); at += readBatch {
		piece := us[at:min(at+readBatch, len(us))]
		docs := make([]names.Doc, len(piece))
		for i, u := range piece {
			docs[i] = names.RecordOf(u)
		}
		entries, err := s.readFresh(ctx, docs)
		if err != nil {
			return nil, fmt.Errorf("records: %w", ended(err))
		}
		for _, e := range entries {
			out = append(out, e.Value)
		}
	}
	return out, nil
}

// ScanRecords calls f with every record that there is. f must not keep the value.
func (s *Set) ScanRecords(ctx context.Context, f func(u names.UserID, value []byte)) error {
	if s.mesh != nil {
		s.mesh.scanRecords(f)
		return nil
	}
	return s.scan(ctx, names.AllRecords, func(doc names.Doc, e port.Entry) bool {
		if e.Value != nil {
			f(doc.User, e.Value)
		}
		return true
	})
}

// scan goes through the documents that match a filter, marks included, until each returns false.
func (s *Set) scan(ctx context.Context, filter string, each func(names.Doc, port.Entry) (more bool)) error {
	for after := uint64(0); ; {
		page, err := s.store.Changes(ctx, filter, after, pageLength)
		if err != nil {
			return fmt.Errorf("scan %s: %w", filter, ended(err))
		}
		for _, c := range page.Changes {
			after = max(after, c.Revision)
			if doc, err := names.ParseStoreKey(c.Key); err == nil && !each(doc, c.Entry) {
				return nil
			}
		}
		if page.More == 0 || len(page.Changes) == 0 {
			return nil
		}
	}
}

// ownRecords are the records that this node wrote last, to be written back if the store is lost. Records that end by
// themselves, which are those of users who have left, are not worth it.
type ownRecords struct {
	mu sync.Mutex // guards m; no other is taken under it
	m  map[names.UserID][]byte
}

func newOwnRecords() *ownRecords { return &ownRecords{m: make(map[names.UserID][]byte)} }

func (o *ownRecords) wrote(u names.UserID, value []byte, endless bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.m[u]
	switch {
	case value == nil || !endless:
		delete(o.m, u)
	case known || len(o.m) < maxOwnRecords:
		o.m[u] = value
	}
}

// overwritten says that another node has written a record since: it writes it back.
func (o *ownRecords) overwritten(u names.UserID) {
	o.mu.Lock()
	delete(o.m, u)
	o.mu.Unlock()
}

// writeBack hands all records over to be committed again, joined with what the store may have by then.
func (o *ownRecords) writeBack(d *dirty, restore func(stored, known []byte) []byte) (count int) {
	if restore == nil {
		return 0
	}
	o.mu.Lock()
	records := maps.Clone(o.m)
	o.mu.Unlock()
	for u, value := range records {
		d.edit(names.RecordOf(u), func(old []byte) ([]byte, time.Duration) {
			if old == nil {
				return value, 0
			}
			if both := restore(old, value); !bytes.Equal(both, old) {
				return both, 0
			}
			return nil, 0
		})
	}
	return len(records)
}

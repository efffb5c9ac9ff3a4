package replica

import (
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// blend is what a round makes of a document.
type blend struct {
	next    content
	changed bool
	ttl     time.Duration
	// change is what is to be announced, also when nothing changed: whoever wrote it before may have died before
	// announcing it. tell is false when no waiter was admitted.
	change docChange
	tell   bool
}

// blend merges the changes of a round into a document that is not changed itself. It may be called several times with
// other documents.
func (s *Set) blend(have *held, r *round) blend {
	if r.doc.Kind == names.RecordDoc {
		return editRecord(have, r)
	}
	now := s.nowMs()
	b := s.tryAll(have, r, now)
	if err := b.next.check(r.doc.Kind, s.limits()); err != nil {
		b = s.tryEach(have, r, now)
	}
	if b.tell && !have.exists && r.doc.Kind == names.SharedDoc {
		b.changed = true // a key without variables is one too: it counts
	}
	b.ttl = b.next.ttl(r.doc.Kind, now)
	return b
}

// fresh is the generation of a key that the document does not have: higher than any that a copy may still have, when
// the document has been removed or has expired.
func (h *held) fresh(now int64) uint64 {
	if !h.exists && h.rev > 0 {
		return uint64(now)
	}
	return 0
}

// tryAll merges all changes at once.
func (s *Set) tryAll(have *held, r *round, now int64) blend {
	kind := r.doc.Kind
	b := blend{next: have.clone(kind), change: docChange{doc: r.doc}}
	var back, delta joined
	for _, w := range r.waiters {
		if w.err = w.out; w.err != nil {
			continue
		}
		back.add(kind, w.change.back)
		delta.add(kind, w.change.delta)
	}
	b.merge(kind, back.c, delta.c, now, have.fresh(now))
	return b
}

// tryEach merges one change after the other and leaves out those that break a limit.
func (s *Set) tryEach(have *held, r *round, now int64) blend {
	kind := r.doc.Kind
	next := have.clone(kind)
	var back, delta joined
	for _, w := range r.waiters {
		if w.err = w.out; w.err != nil {
			continue
		}
		t := blend{next: next.clone(kind)}
		t.merge(kind, w.change.back, w.change.delta, now, have.fresh(now))
		if w.err = t.next.check(kind, s.limits()); w.err != nil && w.change.back == nil {
			s.metrics.limited.Add(1)
			continue
		}
		w.err = nil // what is written back was within the limits once
		next = t.next
		back.add(kind, w.change.back)
		delta.add(kind, w.change.delta)
	}
	b := blend{next: have.clone(kind), change: docChange{doc: r.doc}}
	b.merge(kind, back.c, delta.c, now, have.fresh(now))
	return b
}

// merge takes in what is written back and then an update; each may be nil.
func (b *blend) merge(kind names.DocKind, back, delta *content, now int64, fresh uint64) {
	b.tell = back != nil || delta != nil
	if back != nil {
		changed := b.next.merge(kind, back)
		b.changed = b.changed || changed
		b.change.delta = *back
	}
	if delta == nil {
		return
	}
	changed := b.next.apply(kind, delta, now, fresh)
	b.changed = b.changed || changed
	meant := b.next.meant(kind, delta)
	if back != nil {
		whole := back.clone(kind)
		whole.merge(kind, &meant)
		meant = whole
	}
	b.change.delta = meant
}

// joined is the join of several updates, or of several states; c is nil before the first.
type joined struct {
	c   *content
	own bool // c may be changed
}

// add joins d, which may be nil and is not changed.
func (j *joined) add(kind names.DocKind, d *content) {
	switch {
	case d == nil:
		return
	case j.c == nil:
		j.c = d
		return
	case !j.own:
		c := j.c.clone(kind)
		j.c, j.own = &c, true
	}
	j.c.merge(kind, d)
}

// leaveOut takes the largest change out of a round whose document has become too large, so that the others go on; false:
// there are no others.
func (r *round) leaveOut(err error) bool {
	var largest *waiter
	size, left := 0, 0
	for _, w := range r.waiters {
		if w.out != nil {
			continue
		}
		left++
		if n := w.change.size(r.doc.Kind); largest == nil || n > size {
			largest, size = w, n
		}
	}
	if left < 2 {
		return false
	}
	largest.out = err
	return true
}

// size is about the length of the change's text.
func (c *change) size(kind names.DocKind) (n int) {
	for _, d := range []*content{c.delta, c.back} {
		if d != nil {
			n += len(d.appendStored(nil, kind))
		}
	}
	return n
}

// editRecord lets one waiter after the other change a record.
func editRecord(have *held, r *round) blend {
	b := blend{next: content{record: have.record}, change: docChange{doc: r.doc}}
	for _, w := range r.waiters {
		if w.err = w.out; w.err != nil {
			continue
		}
		if value, ttl := w.change.edit(b.next.record); value != nil {
			b.next.record, b.ttl, b.changed = value, ttl, true
		}
		w.record = b.next.record
	}
	b.change.delta, b.tell = b.next, b.changed
	return b
}

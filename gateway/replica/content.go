package replica

import (
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// content is what a document holds, or an update of it. Only the field of the document's kind is used.
type content struct {
	shared  lattice.State
	private lattice.Keys
	record  []byte
	// forgotten says that a shared key was read that had ended too long ago to be kept.
	forgotten bool
}

// parse reads a document's stored form and forgets what ended long ago at now.
func parse(kind names.DocKind, data []byte, now int64) (c content, err error) {
	switch kind {
	case names.SharedDoc:
		if c.shared, err = lattice.ParseState(data); err == nil && c.shared.Droppable(now) {
			c.shared, c.forgotten = lattice.State{}, true
		}
	case names.PrivateDoc:
		if c.private, err = lattice.ParseKeys(data); err == nil {
			c.private.DropEnded(now)
		}
	default:
		c.record = data
	}
	if err != nil {
		// Not the fault of whoever wants to change it.
		return content{}, fmt.Errorf("stored document: %s: %w", err.Error(), port.ErrUnavailable)
	}
	return c, nil
}

// appendStored appends the stored form.
func (c *content) appendStored(dst []byte, kind names.DocKind) []byte {
	switch kind {
	case names.SharedDoc:
		return c.shared.AppendStored(dst)
	case names.PrivateDoc:
		return c.private.AppendStored(dst)
	default:
		return append(dst, c.record...)
	}
}

// clone returns a copy that can be changed alone.
func (c *content) clone(kind names.DocKind) content {
	switch kind {
	case names.SharedDoc:
		return content{shared: c.shared}
	case names.PrivateDoc:
		return content{private: c.private.Clone()}
	default:
		return *c
	}
}

// merge joins a state, or what has its generations, into c.
func (c *content) merge(kind names.DocKind, d *content) (changed bool) {
	switch kind {
	case names.SharedDoc:
		_, changed = c.shared.Merge(&d.shared)
	case names.PrivateDoc:
		_, changed = c.private.Merge(&d.private)
	default:
	}
	return changed
}

// apply merges an update into the present generations. fresh is the generation of keys that c does not know.
func (c *content) apply(kind names.DocKind, d *content, now int64, fresh uint64) (changed bool) {
	switch kind {
	case names.SharedDoc:
		if fresh > c.shared.Gen && c.shared.Empty() && c.shared.End == 0 {
			c.shared.Gen = fresh
		}
		_, changed = c.shared.Apply(&d.shared, now)
	case names.PrivateDoc:
		_, changed = c.private.Apply(&d.private, now, fresh)
	default:
	}
	return changed
}

// meant returns the update d with the generations that it was applied to: to be merged elsewhere.
func (c *content) meant(kind names.DocKind, d *content) content {
	switch kind {
	case names.SharedDoc:
		return content{shared: c.shared.For(&d.shared)}
	case names.PrivateDoc:
		return content{private: c.private.For(&d.private)}
	default:
		return *d
	}
}

// check holds a document against the limits; the error wraps port.ErrLimit.
func (c *content) check(kind names.DocKind, lim lattice.Limits) error {
	switch kind {
	case names.SharedDoc:
		return c.shared.Check(lim)
	case names.PrivateDoc:
		return c.private.Check(lim)
	default:
		return nil
	}
}

// end is when the whole document ends, in Unix milliseconds; 0: never.
func (c *content) end(kind names.DocKind) int64 {
	switch kind {
	case names.SharedDoc:
		return c.shared.End
	case names.PrivateDoc:
		return c.private.End()
	default:
		return 0
	}
}

// ttl is the life that the store is told; 0: for ever.
func (c *content) ttl(kind names.DocKind, now int64) time.Duration {
	end := c.end(kind)
	if end == 0 {
		return 0
	}
	return max(time.Duration(end-now)*time.Millisecond, time.Second)
}

// held is a document as the store has it.
type held struct {
	content
	rev uint64
	// exists is false for a document that was never written, is removed or has expired.
	exists bool
}

// read makes sense of an entry.
func read(kind names.DocKind, e port.Entry, now int64) (held, error) {
	h := held{rev: e.Revision, exists: e.Value != nil}
	if !h.exists {
		return h, nil
	}
	var err error
	h.content, err = parse(kind, e.Value, now)
	return h, err
}

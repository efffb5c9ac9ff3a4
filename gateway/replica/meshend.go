package replica

import (
	"context"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// end has a document's keys end now, unless it has changed since it had the digest; 0: whatever it has.
func (m *mesh) end(ctx context.Context, doc names.Doc, digest uint64) error {
	n := m.set.namespaceOf(doc.Namespace, false)
	if n == nil {
		return nil
	}
	c, ok := n.ending(doc, digest, m.set.nowMs())
	return m.endAs(ctx, n, c, ok)
}

// endAs makes the change of ending, if there is one, and has another node confirm it. The caller holds the namespace's
// lock, which is given back.
func (m *mesh) endAs(ctx context.Context, n *namespace, c docChange, ok bool) error {
	if ok {
		g := merged{now: m.set.nowMs()}
		n.merge(&g, &c)
		n.tell(&g)
	}
	n.release()
	if !ok {
		return nil
	}
	m.set.metrics.purged.Add(1)
	_, err := m.confirmAll(ctx, n.name, []docChange{c})
	return err // an earlier life than others know of has ended anyway
}

// ending makes the change that ends a document. The caller holds the lock. Ends join as their maximum, so an end of now
// would not prevail over a later one: each key begins a life that has ended already. That life is the next one and not
// one of the present time, as those are that begin with a write behind an end (lattice.State.Apply): so a purge by a node
// that has missed such a write ends the life that it knows of, and not the new one.
func (n *namespace) ending(doc names.Doc, digest uint64, now int64) (c docChange, ok bool) {
	c.doc = doc
	if doc.Kind == names.SharedDoc {
		p := n.shared[doc.Key]
		if p == nil || p.digest != digest || p.state.Ended(now) {
			return c, false
		}
		c.delta.shared = over(&p.state, now)
		return c, true
	}
	p := n.private[doc.User]
	if p == nil {
		return c, false
	}
	for k, st := range p.keys.All() {
		if !st.Ended(now) {
			c.delta.private.Put(k, over(st, now))
		}
	}
	return c, c.delta.private.Len() > 0
}

// over is what takes the place of a life that is ended now.
func over(s *lattice.State, now int64) lattice.State { return lattice.State{End: now, Gen: s.Gen + 1} }

// sharedDocs goes through the shared documents that have not ended, with their digests.
func (m *mesh) sharedDocs(each func(names.Doc, uint64) (more bool)) {
	for _, n := range m.set.all() {
		n.mu.Lock()
		found := make(map[names.Doc]uint64, len(n.shared))
		for k, p := range n.shared {
			if !p.state.Ended(m.set.nowMs()) && p.digest != 0 {
				found[names.SharedOf(n.name, k)] = p.digest
			}
		}
		n.mu.Unlock()
		for doc, digest := range found {
			if !each(doc, digest) {
				return
			}
		}
	}
}

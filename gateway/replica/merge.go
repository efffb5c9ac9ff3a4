package replica

import (
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// merged is what a batch of changes did to the copies of a namespace.
type merged struct {
	now     int64
	shared  []sharedGrowth
	private []privateGrowth
	// arrived are views for which something may have waited that waits no longer.
	arrived []*View
	// load are documents of which something is known to have changed, but not what.
	load []names.Doc
}

type sharedGrowth struct {
	key   names.Key
	copy  *sharedCopy
	grown lattice.State
	// anew says that nothing of the key's life was known before.
	anew bool
}

type privateGrowth struct {
	view  *View
	grown lattice.Keys
	// fresh are keys that have become visible.
	fresh []names.Key
	// anew are other keys that began a new life.
	anew []names.Key
}

// merge takes a change into the copy of its document, if there is one.
func (n *namespace) merge(m *merged, c *docChange) {
	if c.doc.Kind == names.SharedDoc {
		if p := n.shared[c.doc.Key]; p != nil {
			n.mergeShared(m, p, c)
		}
		return
	}
	if p := n.private[c.doc.User]; p != nil {
		n.mergePrivate(m, p, c)
	}
}

func (n *namespace) mergeShared(m *merged, p *sharedCopy, c *docChange) {
	n.expireShared(p, m.now)
	loaded, ended := p.loaded, p.state.Ended(m.now)
	gen, empty := p.state.Gen, p.state.Empty()
	grown := join(m, &p.version, &p.state, &c.delta.shared, c, func() (lattice.State, bool) {
		return p.state.Apply(&c.delta.shared, m.now)
	})
	n.queueEnd(c.doc, &p.version, due(&p.state, m.now, n.set.early))
	n.digestShared(c.doc.Key, p)
	if !loaded && p.loaded {
		for v := range p.viewers {
			if len(v.held) > 0 {
				m.arrived = append(m.arrived, v)
			}
		}
	}
	switch {
	case !loaded || p.state.Ended(m.now):
		// Before it is loaded nobody sees it; whoever waits for that gets the whole.
		return
	case ended:
		grown = p.state
	}
	if !grown.Empty() {
		m.shared = append(m.shared, sharedGrowth{c.doc.Key, p, grown, empty || ended || p.state.Gen != gen})
	}
}

func (n *namespace) mergePrivate(m *merged, p *privateCopy, c *docChange) {
	v := p.view
	n.expirePrivate(p, m.now)
	var before []names.Key
	if v != nil && c.form != asDelta && c.form != asUpdate {
		before = p.visible(m.now)
	}
	fresh, anew := p.news(&c.delta.private, m.now, c.form == asUpdate)
	grown := join(m, &p.version, &p.keys, &c.delta.private, c, func() (lattice.Keys, bool) {
		return p.keys.Apply(&c.delta.private, m.now, 0)
	})
	n.queueEnd(c.doc, &p.version, p.nextEnd(&c.delta.private, m.now, n.set.early))
	n.digestPrivate(c.doc.User, p)
	if v == nil {
		return
	}
	for _, k := range before {
		if !p.sees(k, m.now) {
			n.unfollow(v, k)
		}
	}
	if n.set.mesh != nil {
		for k := range c.delta.private.All() {
			if !p.sees(k, m.now) { // a grace has ended it
				n.unfollow(v, k)
			}
		}
	}
	if len(before) > 0 && len(v.held) > 0 {
		m.arrived = append(m.arrived, v)
	}
	visible := fresh[:0]
	for _, k := range fresh {
		if p.sees(k, m.now) {
			n.follow(v, k)
			visible = append(visible, k)
		}
	}
	if v.open && (grown.Len() > 0 || len(visible) > 0) {
		m.private = append(m.private, privateGrowth{v, grown, visible, anew})
	}
}

// joinable are lattice.State and lattice.Keys.
type joinable[T any] interface {
	*T
	Merge(d *T) (grown T, changed bool)
}

// join takes a change d, which c brings, into what a copy has and returns what grew.
func join[T any, P joinable[T]](m *merged, v *version, have, d P, c *docChange, apply func() (T, bool)) (grown T) {
	var none T
	switch c.form {
	case asUnknown:
		if c.seq > v.gone {
			m.load = append(m.load, c.doc)
		}
	case asGone:
		switch {
		case c.seq < v.rev && v.rev == v.gone:
			v.loaded = true // the mark of the removal is past
		case c.seq < v.rev:
			v.loaded = true
			// What we have heard of since began a new life: what is left of the old one goes with a whole read.
			m.load = append(m.load, c.doc)
		case v.loose:
			v.rev, v.loaded = c.seq, true
		default:
			*have = none
			v.rev, v.gone, v.loaded = c.seq, c.seq, true
		}
	case asUpdate:
		v.loose = true
		grown, _ = apply()
	case asWhole, asTruth:
		return joinWhole[T, P](v, have, d, c)
	case asDelta:
		if c.seq == 0 || c.seq > v.gone {
			v.rev = max(v.rev, c.seq)
			grown, _ = have.Merge(d)
			if v.loose && c.seq != 0 {
				m.load = append(m.load, c.doc) // to know whether the store has it all
			}
		}
	}
	return grown
}

// joinWhole takes what the store holds. It replaces the copy where it is known to be later than all that the copy has
// heard of, so that what is left of an earlier life goes; a copy that may be ahead of the store is joined with it.
func joinWhole[T any, P joinable[T]](v *version, have, d P, c *docChange) (grown T) {
	v.loaded = true
	truth := c.form == asTruth
	if !truth && c.seq <= v.gone && !v.loose {
		return grown
	}
	replace := truth || c.seq >= v.rev
	if replace && v.loose {
		var t T
		P(&t).Merge(d)
		_, ahead := P(&t).Merge(have)
		replace = !ahead
	}
	grown, _ = have.Merge(d)
	if replace {
		*have, v.loose = *d, false
	}
	if replace || truth {
		v.rev = c.seq
	}
	if truth {
		v.gone = 0
	}
	return grown
}

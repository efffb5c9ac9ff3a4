package replica

import (
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// deliver takes a batch of changes of one namespace into this node's copies and tells the views, each once. What it
// returns waits for a load of keys that have become visible. It does no I/O.
func (s *Set) deliver(name names.Namespace, batch []docChange) []*heldChange {
	n := s.namespaceOf(name, s.mesh != nil)
	if n == nil {
		return nil
	}
	m := merged{now: s.nowMs()}
	for i := range batch {
		if s.mesh != nil {
			n.make(batch[i].doc)
		}
		n.merge(&m, &batch[i])
	}
	held := n.tell(&m)
	n.release()
	if len(m.load) > 0 {
		s.loader.again(m.load)
	}
	return held
}

// tell gives each view what has changed for it. The caller holds the lock.
func (n *namespace) tell(m *merged) (held []*heldChange) {
	for _, v := range m.arrived {
		v.unhold(m.now)
	}
	if len(m.shared) == 0 && len(m.private) == 0 {
		return nil
	}
	var told map[*View]bool
	if len(m.private) > 0 {
		told = make(map[*View]bool, len(m.private))
	}
	for i := range m.private {
		g := &m.private[i]
		told[g.view] = true
		if h := g.view.take(&pending{private: g.grown, fresh: g.fresh, anew: g.anew, shared: g.view.seen(m.shared)}, m.now); h != nil {
			held = append(held, h)
		}
	}
	if len(m.shared) == 1 {
		n.tellOne(&m.shared[0], told, m.now)
	} else if len(m.shared) > 1 {
		n.tellSome(m.shared, told, m.now)
	}
	return held
}

// tellOne tells all who see the one shared key that has changed: they get the same Change.
func (n *namespace) tellOne(g *sharedGrowth, told map[*View]bool, now int64) {
	var c *Change
	for v := range g.copy.viewers {
		switch {
		case !v.open || told[v] || !v.doc.sees(g.key, now): // the user's key may have ended just now
		case len(v.held) > 0:
			v.take(&pending{shared: []sharedGrowth{*g}}, now)
		default:
			if c == nil {
				c = n.change([]sharedGrowth{*g})
			}
			v.changed(c)
		}
	}
}

// tellSome is tellOne for several keys: those who see the same of them get the same Change.
func (n *namespace) tellSome(all []sharedGrowth, told map[*View]bool, now int64) {
	sees := make(map[*View][]byte)
	for i := range all {
		for v := range all[i].copy.viewers {
			if !v.open || told[v] || !v.doc.sees(all[i].key, now) {
				continue
			}
			set := sees[v]
			if set == nil {
				set = make([]byte, (len(all)+7)/8)
				sees[v] = set
			}
			set[i/8] |= 1 << (i % 8)
		}
	}
	same := make(map[string]*Change)
	for v, set := range sees {
		if len(v.held) > 0 {
			v.take(&pending{shared: pick(all, set)}, now)
			continue
		}
		c := same[string(set)]
		if c == nil {
			c = n.change(pick(all, set))
			same[string(set)] = c
		}
		v.changed(c)
	}
}

func pick(all []sharedGrowth, set []byte) (out []sharedGrowth) {
	for i := range all {
		if set[i/8]&(1<<(i%8)) != 0 {
			out = append(out, all[i])
		}
	}
	return out
}

// change makes what viewers get of shared keys alone.
func (n *namespace) change(shared []sharedGrowth) *Change {
	data := []byte{'{'}
	for i := range shared {
		data = appendKey(data, shared[i].key)
		data = shared[i].grown.AppendVars(data)
	}
	return &Change{Namespace: n.name, Data: append(data, '}'), Anew: appendAnew(nil, shared)}
}

// appendAnew appends the keys that began a new life.
func appendAnew(dst []names.Key, shared []sharedGrowth) []names.Key {
	for i := range shared {
		if shared[i].anew {
			dst = append(dst, shared[i].key)
		}
	}
	return dst
}

// appendKey appends a key of an object, with the comma before it.
func appendKey(dst []byte, k names.Key) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, k...)
	return append(dst, '"', ':')
}

// pending is what changed for one view in one batch.
type pending struct {
	private lattice.Keys
	fresh   []names.Key
	anew    []names.Key
	shared  []sharedGrowth
}

// begun lists the keys for Change.Anew.
func (p *pending) begun() []names.Key {
	return appendAnew(append(slices.Clip(p.fresh), p.anew...), p.shared)
}

// appendTo appends the view's Change, or nothing: when nothing is left of it (decision D19).
func (p *pending) appendTo(dst []byte, v *View, now int64) []byte {
	start := len(dst)
	dst = append(dst, '{')
	fresh := make(map[names.Key]bool, len(p.fresh))
	for _, k := range p.fresh {
		if v.doc.sees(k, now) && !fresh[k] {
			fresh[k] = true
			dst = v.appendKey(appendKey(dst, k), k, now)
		}
	}
	grown := make(map[names.Key]*lattice.State, len(p.shared))
	for i := range p.shared {
		grown[p.shared[i].key] = &p.shared[i].grown
	}
	for k, st := range p.private.All() {
		if fresh[k] || !v.doc.sees(k, now) {
			continue
		}
		own := st.Without(v.ns.sharedState(k, now))
		if !own.Empty() || grown[k] != nil {
			dst = lattice.AppendVisible(appendKey(dst, k), &own, grown[k])
		}
		delete(grown, k)
	}
	for i := range p.shared {
		g := &p.shared[i]
		if grown[g.key] != nil && !fresh[g.key] && v.doc.sees(g.key, now) {
			dst = g.grown.AppendVars(appendKey(dst, g.key))
		}
	}
	if len(dst) == start+1 {
		return dst[:start]
	}
	return append(dst, '}')
}

// sharedState is what is visible of a shared key; nil: nothing.
func (n *namespace) sharedState(k names.Key, now int64) *lattice.State {
	if c := n.shared[k]; c != nil && !c.state.Ended(now) {
		return &c.state
	}
	return nil
}

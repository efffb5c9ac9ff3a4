package replica

import "github.com/swindon-go/swindon/lattice"

// Census counts what this node has copies of; for inspection (configuration §9.3).
type Census struct {
	Namespaces, SetItems int64
	Shared, Private      Area
}

// Area counts one of a namespace's two areas.
type Area struct{ Keys, Counters, Sets, Registers int64 }

// Census walks over all copies: do not call it often.
func (s *Set) Census() (c Census) {
	for _, n := range s.all() {
		n.mu.Lock()
		c.Namespaces++
		for _, p := range n.shared {
			// What somebody sees and nobody has written is no key yet.
			if !p.state.Empty() || p.known || p.rev > p.gone {
				c.SetItems += c.Shared.add(&p.state)
			}
		}
		for _, p := range n.private {
			for _, st := range p.keys.All() {
				c.SetItems += c.Private.add(st)
			}
		}
		n.mu.Unlock()
	}
	return c
}

// add counts one key and returns the number of elements in its sets.
func (a *Area) add(s *lattice.State) (items int64) {
	a.Keys++
	for _, v := range s.All() {
		switch v.Kind() {
		case lattice.Counter:
			a.Counters++
		case lattice.Set:
			a.Sets++
			items += int64(v.Items())
		case lattice.Register:
			a.Registers++
		}
	}
	return items
}

// Plus is the sum of two areas.
func (a Area) Plus(b Area) Area {
	return Area{a.Keys + b.Keys, a.Counters + b.Counters, a.Sets + b.Sets, a.Registers + b.Registers}
}

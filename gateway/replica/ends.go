package replica

import (
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// sees tells whether a key is visible to the user.
func (p *privateCopy) sees(k names.Key, now int64) bool {
	s := p.keys.Get(k)
	return s != nil && !s.Ended(now)
}

// visible lists the keys that are visible.
func (p *privateCopy) visible(now int64) []names.Key {
	out := make([]names.Key, 0, p.keys.Len())
	for k, s := range p.keys.All() {
		if !s.Ended(now) {
			out = append(out, k)
		}
	}
	return out
}

// news lists the keys of d that are not visible yet, and those that are and begin a new life by d; an update, whose
// generations count for nothing, begins none.
func (p *privateCopy) news(d *lattice.Keys, now int64, update bool) (fresh, anew []names.Key) {
	for k, st := range d.All() {
		switch s := p.keys.Get(k); {
		case s == nil || s.Ended(now):
			fresh = append(fresh, k)
		case !update && st.Gen > s.Gen:
			anew = append(anew, k)
		}
	}
	return fresh, anew
}

// due is when something has to be done because a state ends: it is hidden, and later forgotten; 0: never. early is how
// much earlier than lattice.EndedKept it is forgotten.
func due(s *lattice.State, now, early int64) int64 {
	if s.End == 0 || now < s.End {
		return s.End
	}
	return s.End + lattice.EndedKept.Milliseconds() - early
}

// nextEnd is when something is due for one of some keys of p; 0: never.
func (p *privateCopy) nextEnd(of *lattice.Keys, now, early int64) (at int64) {
	for k := range of.All() {
		if s := p.keys.Get(k); s != nil {
			at = earlier(at, due(s, now, early))
		}
	}
	return at
}

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// expireShared forgets what ended long ago. The caller holds the lock.
func (n *namespace) expireShared(p *sharedCopy, now int64) {
	if p.state.Droppable(now + n.set.early) {
		p.state, p.known = lattice.State{}, false
	}
}

// expirePrivate hides the keys that have ended and forgets those that ended long ago. The caller holds the lock.
func (n *namespace) expirePrivate(p *privateCopy, now int64) {
	if p.end == nil || now < p.end.at {
		return
	}
	if p.view != nil {
		for k, s := range p.keys.All() {
			if s.Ended(now) {
				n.unfollow(p.view, k)
			}
		}
	}
	p.keys.DropEnded(now + n.set.early)
}

// expireNow hides and forgets what is due of one document.
func (n *namespace) expireNow(doc names.Doc, now int64) {
	if doc.Kind == names.SharedDoc {
		if p := n.shared[doc.Key]; p != nil {
			n.expireShared(p, now)
		}
	} else if p := n.private[doc.User]; p != nil {
		n.expirePrivate(p, now)
	}
}

// expire does what is due for one document and comes back when the next is.
func (n *namespace) expire(doc names.Doc, now int64) {
	n.expireNow(doc, now)
	if doc.Kind == names.SharedDoc {
		if p := n.shared[doc.Key]; p != nil {
			n.requeueEnd(doc, &p.version, due(&p.state, now, n.set.early))
			n.digestShared(doc.Key, p)
			if n.set.mesh != nil && p.digest == 0 && len(p.viewers) == 0 {
				n.dropShared(doc.Key)
			}
		}
		return
	}
	if p := n.private[doc.User]; p != nil {
		n.requeueEnd(doc, &p.version, p.nextEnd(&p.keys, now, n.set.early))
		n.digestPrivate(doc.User, p)
		if n.set.mesh != nil && p.digest == 0 && p.view == nil {
			n.dropPrivate(doc.User)
		}
	}
}

package replica

import (
	"sync"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// namespace holds this node's copies of one namespace and who looks at them. One lock guards all of it, the views and
// the copies included; under it there is no I/O and no publish, only the watchers' Changed.
type namespace struct {
	set  *Set
	name names.Namespace

	mu      sync.Mutex // guards everything below
	shared  map[names.Key]*sharedCopy
	private map[names.UserID]*privateCopy
	// dead says that the namespace has left the Set's map: whoever finds a dead one looks again.
	dead bool
	// sum is the order-free hash of all documents; kept in a mesh only.
	sum uint64
}

// version is how much of a document a copy has.
type version struct {
	// rev is the highest revision of which the copy has at least heard, gone the highest at which the document was
	// known to be removed.
	rev, gone uint64
	// loaded says that the copy is not only what was announced since it is followed.
	loaded bool
	// loose says that the copy may hold what the store does not hold yet.
	loose bool
	// end is the copy's place in the Set's queue of ends, at its earliest end; nil: it has none.
	end *end
	// digest is the document's part of the namespace's sum; kept in a mesh only.
	digest uint64
}

// sharedCopy is a copy of a shared key's document.
type sharedCopy struct {
	version
	state lattice.State
	// known says that somebody has written the key, if only {}, and not merely looks at it; kept in a mesh only.
	known bool
	// viewers are the views in which the key is visible.
	viewers map[*View]struct{}
}

// privateCopy is a copy of a user's private document.
type privateCopy struct {
	version
	keys lattice.Keys
	view *View // nil: nobody looks; in a mesh only
	// written is when this node saw the content change last, in Unix milliseconds; kept in a mesh only.
	written int64
}

// namespaceOf returns a namespace, making it when create is set, with its lock held; nil when there is none.
func (s *Set) namespaceOf(name names.Namespace, create bool) *namespace {
	for {
		s.mu.Lock()
		n := s.spaces[name]
		if n == nil && create {
			n = &namespace{
				set: s, name: name,
				shared: make(map[names.Key]*sharedCopy), private: make(map[names.UserID]*privateCopy),
			}
			s.spaces[name] = n
		}
		s.mu.Unlock()
		if n == nil {
			return nil
		}
		n.mu.Lock()
		if !n.dead {
			return n
		}
		n.mu.Unlock()
	}
}

// release gives the lock back and takes an empty namespace out of the map.
func (n *namespace) release() {
	empty := len(n.shared) == 0 && len(n.private) == 0
	n.dead = empty
	n.mu.Unlock()
	if !empty {
		return
	}
	n.set.mu.Lock()
	if n.set.spaces[n.name] == n {
		delete(n.set.spaces, n.name)
	}
	n.set.mu.Unlock()
}

// all lists the namespaces of the moment.
func (s *Set) all() []*namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*namespace, 0, len(s.spaces))
	for _, n := range s.spaces {
		out = append(out, n)
	}
	return out
}

// sharedFor returns the copy of a shared key, making it. The caller holds the lock, as for all that follow.
func (n *namespace) sharedFor(k names.Key) *sharedCopy {
	c := n.shared[k]
	if c == nil {
		c = &sharedCopy{version: version{loaded: n.set.mesh != nil}}
		n.shared[k] = c
		n.set.metrics.documents.Add(1)
	}
	return c
}

// privateFor returns the copy of a user's private document, making it.
func (n *namespace) privateFor(u names.UserID) *privateCopy {
	c := n.private[u]
	if c == nil {
		c = &privateCopy{version: version{loaded: n.set.mesh != nil}}
		n.private[u] = c
		n.set.metrics.documents.Add(1)
	}
	return c
}

// follow makes a key visible in a view and returns its copy.
func (n *namespace) follow(v *View, k names.Key) *sharedCopy {
	c := n.sharedFor(k)
	if c.viewers == nil {
		c.viewers = make(map[*View]struct{})
	}
	c.viewers[v] = struct{}{}
	return c
}

// unfollow takes a key out of a view; a copy that nobody looks at is dropped, unless it is a document of a mesh.
func (n *namespace) unfollow(v *View, k names.Key) {
	c := n.shared[k]
	if c == nil {
		return
	}
	delete(c.viewers, v)
	if len(c.viewers) == 0 && !c.known {
		n.dropShared(k)
	}
}

func (n *namespace) dropShared(k names.Key) {
	c := n.shared[k]
	n.sum -= c.digest
	n.unqueueEnd(&c.version)
	delete(n.shared, k)
	n.set.metrics.documents.Add(-1)
}

func (n *namespace) dropPrivate(u names.UserID) {
	c := n.private[u]
	n.sum -= c.digest
	n.unqueueEnd(&c.version)
	delete(n.private, u)
	n.set.metrics.documents.Add(-1)
}

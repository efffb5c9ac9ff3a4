package presence

import (
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// view is the set of nodes among which the users are shared out: this one and those that have been heard of lately. It
// is immutable.
type view struct {
	nodes []names.NodeID // sorted
	hash  []uint64
}

func newView(self names.NodeID, others []names.NodeID) *view {
	v := &view{nodes: append(slices.Clone(others), self)}
	slices.SortFunc(v.nodes, func(a, b names.NodeID) int { return strings.Compare(string(a), string(b)) })
	v.nodes = slices.Compact(v.nodes)
	for _, n := range v.nodes {
		v.hash = append(v.hash, hash(string(n)))
	}
	return v
}

func (v *view) has(n names.NodeID) bool {
	_, ok := slices.BinarySearch(v.nodes, n)
	return ok
}

func (v *view) equal(o *view) bool { return slices.Equal(v.nodes, o.nodes) }

// owner is the node with the highest rendezvous hash of (user, node): when a node comes or goes, only the users that
// it owns move. All nodes must agree on this function.
func (v *view) owner(u names.UserID) names.NodeID {
	h := hash(string(u))
	best, at := uint64(0), 0
	for i, n := range v.hash {
		if score := mix(h ^ n); i == 0 || score > best {
			best, at = score, i
		}
	}
	return v.nodes[at]
}

// holders are the nodes of the view, other than self, that have connections according to a record.
func (v *view) holders(r *Record, self names.NodeID) (out []names.NodeID) {
	for _, s := range r.Seats {
		if s.Here && s.Node != self && v.has(s.Node) {
			out = append(out, s.Node)
		}
	}
	return out
}

// hash is FNV-1a, mixed because its high bits hardly depend on the last bytes.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

package presence

import (
	"cmp"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
)

// State is whether a user is there (protocol §9.2). The zero value is Offline: nothing is known of the user.
type State uint8

// The states of a user.
const (
	Offline State = iota
	// Inactive has connections, but the deadline has passed.
	Inactive
	Active
)

var stateNames = [...]string{"offline", "inactive", "active"}

// String is the state as clients see it.
func (s State) String() string {
	if int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// Status is what the watchers of a user are told. Version is in milliseconds and strictly greater with each change of
// State, whatever the clocks of the nodes; 0 means that the user is unknown.
type Status struct {
	Version int64
	State   State
}

// Record is all that is kept about one user (decision D25). It is a value: what makes a new one never changes an old
// one. The zero value is the record of an unknown user.
type Record struct {
	Status
	// Until is the deadline; it only grows.
	Until int64
	// Seats are sorted by node.
	Seats  []Seat
	Notice Notice
	// Touched is about when private data was last written while nobody was there: up to half a grace before, see touch.
	Touched int64
	// Purged is the stamp of the last purge of private documents, see purgeAt.
	Purged int64
}

// Seat says whether a node has connections of the user. A node that has gone keeps an empty seat for a while, so that
// an older copy of the record does not bring its connections back.
type Seat struct {
	Node names.NodeID
	Here bool
	// Version grows with each change of this seat; it is max(previous + 1, now), so for an empty seat about the time
	// at which the last connection left.
	Version int64
}

// NoticeState says how far a notice of inactivity is.
type NoticeState uint8

// The states of a notice, in the order in which they follow each other.
const (
	// NoticeNone means that there is nothing to tell.
	NoticeNone NoticeState = iota
	// NoticeDue waits for a node that sends it.
	NoticeDue
	// NoticeSending is being sent by Owner, which nobody else does until Lease.
	NoticeSending
	// NoticeSent is answered, or given up.
	NoticeSent
)

// Notice tells the backends that a period of activity is over (decision D27).
type Notice struct {
	// Period is the version of the status Active that has ended: one per activation.
	Period int64
	State  NoticeState
	// Turn counts the changes of the owner.
	Turn  int64
	Owner names.NodeID
	Lease int64
	// Since is when the period ended.
	Since int64
	// ID is the request id, the same at every attempt of every node.
	ID string
}

// pending tells whether somebody must still send it.
func (n *Notice) pending() bool { return n.State == NoticeDue || n.State == NoticeSending }

// compare orders notices: the later one of two wins in a join.
func (n *Notice) compare(o *Notice) int {
	return cmp.Or(cmp.Compare(n.Period, o.Period), cmp.Compare(n.State, o.State), cmp.Compare(n.Turn, o.Turn),
		cmp.Compare(n.Lease, o.Lease), cmp.Compare(n.Since, o.Since), cmp.Compare(n.Owner, o.Owner), cmp.Compare(n.ID, o.ID))
}

// Join is the least record that knows what both know. It is commutative, associative and idempotent; the result may
// share the seats of a or b.
func Join(a, b Record) Record {
	if b.Version > a.Version || b.Version == a.Version && b.State > a.State {
		a.Status = b.Status
	}
	if b.Notice.compare(&a.Notice) > 0 {
		a.Notice = b.Notice
	}
	a.Until = max(a.Until, b.Until)
	a.Touched = max(a.Touched, b.Touched)
	a.Purged = max(a.Purged, b.Purged)
	a.Seats = joinSeats(a.Seats, b.Seats)
	return a
}

func joinSeats(a, b []Seat) []Seat {
	switch {
	case len(a) == 0 || slices.Equal(a, b):
		return b
	case len(b) == 0:
		return a
	}
	out := make([]Seat, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].Node, b[0].Node); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			s := a[0]
			if b[0].Version > s.Version || b[0].Version == s.Version && b[0].Here {
				s = b[0]
			}
			out, a, b = append(out, s), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// here tells whether a node has connections of the user.
func (r *Record) here(node names.NodeID) bool {
	i, ok := r.seat(node)
	return ok && r.Seats[i].Here
}

func (r *Record) seat(node names.NodeID) (int, bool) {
	return slices.BinarySearchFunc(r.Seats, node, func(s Seat, n names.NodeID) int { return cmp.Compare(s.Node, n) })
}

// anybody tells whether any node has connections of the user.
func (r *Record) anybody() bool {
	return slices.ContainsFunc(r.Seats, func(s Seat) bool { return s.Here })
}

// left is when the last connection of all left; 0 when somebody is there or nobody ever was.
func (r *Record) left() int64 {
	var at int64
	for _, s := range r.Seats {
		if s.Here {
			return 0
		}
		at = max(at, s.Version)
	}
	return at
}

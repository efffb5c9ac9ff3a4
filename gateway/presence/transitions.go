package presence

import (
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Times of decisions D25 to D27, in milliseconds.
const (
	// moveMillis is how far a deadline may move without being written.
	moveMillis = 10_000
	// leaseMillis is how long a sender of a notice has it for itself.
	leaseMillis = 30_000
	// An empty seat is dropped after so long.
	emptySeatMillis = int64(time.Hour / time.Millisecond)
	// maxEmptySeats bounds them, whatever comes and goes within the hour.
	maxEmptySeats = 64
)

// offlineTTL is how long the store keeps the record of a user who is gone.
const offlineTTL = 24 * time.Hour

// next is the version that follows v.
func next(v, now int64) int64 { return max(v+1, now) }

// The transitions below are pure: they return the record after, and whether it differs. Each yields a record that wins
// in a join with the one before.

// turn gives the record another state.
func (r Record) turn(s State, now int64) Record {
	r.Status = Status{Version: next(r.Version, now), State: s}
	return r
}

// sit fills or empties a node's seat.
func (r Record) sit(node names.NodeID, here bool, now int64) Record {
	i, ok := r.seat(node)
	s := Seat{Node: node, Here: here, Version: now}
	if ok {
		s.Version = next(r.Seats[i].Version, now)
		r.Seats = slices.Clone(r.Seats)
		r.Seats[i] = s
	} else {
		r.Seats = slices.Insert(slices.Clone(r.Seats), i, s)
	}
	return r.trim(now)
}

// trim drops seats that have been empty for long, but never the one that was left last. The seats must be the
// record's own.
func (r Record) trim(now int64) Record {
	var last int64
	var empty []int64
	for _, s := range r.Seats {
		if !s.Here {
			empty, last = append(empty, s.Version), max(last, s.Version)
		}
	}
	bound := now - emptySeatMillis
	if len(empty) > maxEmptySeats {
		slices.Sort(empty)
		bound = max(bound, empty[len(empty)-maxEmptySeats])
	}
	r.Seats = slices.DeleteFunc(r.Seats, func(s Seat) bool { return !s.Here && s.Version < min(bound, last) })
	return r
}

// holding is what one node has of a user.
type holding struct {
	node  names.NodeID
	here  bool
	until int64
	// fresh says that until stems from an activity that no record has been seen with yet.
	fresh bool
}

// present notes what a node has. It makes the user active for a deadline that is new and still to come (or fresh: a
// period of activity that nobody could write down in time is written and expires at once, so that its notice is not
// lost), and offline when the last connection of an inactive user leaves. A deadline alone is only written when it has
// moved far (decision D25).
func (r Record) present(h holding, now int64) (Record, bool) {
	changed := r.here(h.node) != h.here
	if changed {
		r = r.sit(h.node, h.here, now)
	}
	switch {
	case r.overtaken(), r.State != Active && h.until > r.Until && (h.fresh || h.here && h.until > now):
		if r, changed = r.turn(Active, now), true; len(r.Seats) == 0 {
			r = r.sit(h.node, false, now) // left just now: the private grace begins
		}
	case r.State == Offline && h.here:
		r, changed = r.turn(Inactive, now), true
	case r.State == Inactive && !r.anybody():
		r, changed = r.turn(Offline, now), true
	case r.State == Active && h.until > r.Until+moveMillis:
		changed = true
	}
	if changed && r.State == Active {
		r.Until = max(r.Until, h.until)
	}
	return r, changed
}

// overtaken tells that an activation and the end of the period before it, made on two nodes of a mesh at once, have been
// joined, and the end won. Otherwise a version at which a user is not active is never below the deadline.
func (r *Record) overtaken() bool { return r.State != Active && r.Until > r.Version }

// mend makes the transition that two nodes of a mesh have missed because each knew half of it only: an activation was
// overtaken, or two last connections left at once.
func (r Record) mend(now int64) (Record, bool) {
	switch {
	case r.overtaken():
		return r.turn(Active, now), true
	case r.State == Inactive && !r.anybody():
		return r.turn(Offline, now), true
	}
	return r, false
}

// torn tells whether there is something to mend.
func (r *Record) torn() bool { return r.overtaken() || r.State == Inactive && !r.anybody() }

// expire ends a user's activity: inactive where connections are left, else offline. until is the latest deadline that
// anybody knows. With a request id there is a notice to send.
func (r Record) expire(until int64, connected bool, id string, now int64) (Record, bool) {
	until = max(until, r.Until)
	if r.State != Active || until > now {
		return r, false
	}
	period := max(r.Version, r.Notice.Period+1)
	r.Until = until
	if connected && r.anybody() { // a seat that is not written yet comes with an activity
		r = r.turn(Inactive, now)
	} else {
		r = r.turn(Offline, now)
	}
	if id != "" {
		r.Notice = Notice{Period: period, State: NoticeDue, Since: now, ID: id}
	}
	return r, true
}

// adopt empties the seats of dead nodes. Active users keep their deadline (decision D26).
func (r Record) adopt(dead []names.NodeID, now int64) (Record, bool) {
	changed := false
	for _, n := range dead {
		if r.here(n) {
			r, changed = r.sit(n, false, now), true
		}
	}
	if changed && r.State == Inactive && !r.anybody() {
		r = r.turn(Offline, now)
	}
	return r, changed
}

// claim makes node the sender of a period's notice, or renews its lease. ok is false when the notice is not the node's
// to send.
func (r Record) claim(period int64, node names.NodeID, now int64) (_ Record, ok bool) {
	n := &r.Notice
	if n.Period != period || !n.pending() {
		return r, false
	}
	if mine := n.State == NoticeSending && n.Owner == node; !mine {
		if n.State == NoticeSending && n.Lease > now {
			return r, false
		}
		n.State, n.Owner, n.Turn = NoticeSending, node, n.Turn+1
	}
	n.Lease = max(n.Lease, now+leaseMillis)
	return r, true
}

// release gives a notice back that node has claimed and will not send.
func (r Record) release(period int64, node names.NodeID) (Record, bool) {
	n := &r.Notice
	if n.Period != period || n.State != NoticeSending || n.Owner != node {
		return r, false
	}
	n.Turn, n.Owner, n.Lease = n.Turn+1, "", 0
	return r, true
}

// sent ends a period's notice.
func (r Record) sent(period int64) (Record, bool) {
	n := &r.Notice
	if n.Period != period || !n.pending() {
		return r, false
	}
	n.State, n.Owner, n.Lease = NoticeSent, "", 0
	return r, true
}

// known gives an unknown user a record, so that everything later is greater.
func (r Record) known(now int64) (Record, bool) {
	if r.Version > 0 {
		return r, false
	}
	return r.turn(Offline, now), true
}

// touch keeps private documents for a grace from now on, whatever the grace is by then. They stay half as long again, so
// that further data within half a grace needs no write.
func (r Record) touch(grace, now int64) (Record, bool) {
	if r.keeps(grace, now) {
		return r, false
	}
	r, _ = r.known(now)
	r.Touched = max(r.Touched, next(r.Purged, now))
	return r, true
}

// keeps tells whether data that comes now stays for a grace without a touch.
func (r *Record) keeps(grace, now int64) bool {
	return r.Touched > r.Purged && r.keepUntil(grace) >= now+grace
}

// keepUntil is the time until which private documents stay although nobody is there.
func (r *Record) keepUntil(grace int64) int64 {
	if r.Touched == 0 {
		return 0
	}
	return r.Touched + grace + grace/2
}

// purgeAt is when private documents are due to be purged, and the stamp to note then. ok is false when somebody is
// there or it has been done.
func (r *Record) purgeAt(grace int64) (at, stamp int64, ok bool) {
	left := r.left()
	stamp = max(left, r.Touched)
	if stamp <= r.Purged || r.anybody() {
		return 0, 0, false
	}
	if left > 0 {
		left += grace
	}
	return max(left, r.keepUntil(grace)), stamp, true
}

// purged notes a purge.
func (r Record) purged(stamp int64) (Record, bool) {
	if stamp <= r.Purged {
		return r, false
	}
	r.Purged = stamp
	return r, true
}

// putOff notes that a purge has met data that is younger than the grace and that no touch stands for, so that it is
// purged when that is old.
func (r Record) putOff(written int64) (Record, bool) {
	written = next(r.Purged, written)
	if written <= r.Touched {
		return r, false
	}
	r.Touched = written
	return r, true
}

// ttl is how long the store may keep the record; 0: for ever. The scan after a restart of everything finds the records
// of users who were there.
func (r *Record) ttl(grace time.Duration) time.Duration {
	if r.State != Offline || r.anybody() {
		return 0
	}
	return max(offlineTTL, 2*grace)
}

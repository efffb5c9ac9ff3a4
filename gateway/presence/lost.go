package presence

import (
	"slices"
	"time"
)

// Times after the store was found to have lost something, in milliseconds.
const (
	// followerWait is how long the followers of a user leave it to others to write back.
	followerWait = 3000
	// lossWait is how long no activity is ended and no notice sent: each node finds the loss within 7 s. Then somebody may
	// know that it has been done, while this node was away.
	lossWait = 8000 + followerWait
)

// RecordsLost tells that the store was emptied or restored: every node writes back what it knows. It does not block.
//
// Any node may do so, because a record that is written back is the join of what the store has by then and of what was
// known: no version falls, a period that is over somewhere is over, and the second of two nodes that know the same finds
// nothing to write. Nodes with connections and the owner begin at once. The others that know of the user follow later,
// for the case that those have died; by then they mostly have nothing to write.
func (t *Tracker) RecordsLost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.heldUntil = now + lossWait
	t.orphans.want(now + lossWait)
	for _, u := range t.users {
		if u.rec.Version == 0 {
			continue
		}
		if u.lost = true; !u.local && !t.owns(u.id) {
			u.notBefore = max(u.notBefore, now+followerWait)
		}
		t.schedule(u)
	}
}

// restore writes back what is known of a user.
func (t *Tracker) restore(u *user) error {
	t.mu.Lock()
	u.lost = false
	t.mu.Unlock()
	now := t.now()
	err := t.write(t.ctx, u, func(stored, known Record) (Record, bool) {
		r := revive(stored, known, now)
		return r, !r.equal(&stored)
	})
	if err == nil {
		return nil
	}
	t.mu.Lock()
	u.lost = true
	t.mu.Unlock()
	return err
}

// revive joins what the store has with what was known; a status that the store has forgotten goes on with a later
// version.
func revive(stored, known Record, now int64) Record {
	r := Join(stored, known)
	if stored.forgets(&known) {
		r.Status = Status{Version: next(stored.Version, now), State: known.State}
	}
	return r
}

// forgets tells that a record was made after a loss, because somebody asked for the user or wrote data for him, and would
// hide what is known: it says nothing about the user. It must not end a period of activity, whose notice would be lost.
func (r *Record) forgets(known *Record) bool {
	made := r.State == Offline && r.Version > 0 && r.Until == 0 && len(r.Seats) == 0 && r.Notice.State == NoticeNone
	return made && known.State != Offline && known.Version <= r.Version
}

// behind tells that the store has less than was known: it was lost.
func (r *Record) behind(known *Record) bool {
	return known.matters() && (r.Version < known.Version || r.forgets(known))
}

// RestoreRecords is what a store that was lost is given of a user: stored is what it has by now, known what was there
// before. A text that is no record counts as nothing; two of them yield nil.
func RestoreRecords(stored, known []byte) []byte {
	a, errA := Parse(stored)
	b, errB := Parse(known)
	if errA != nil || errB != nil || !a.forgets(&b) {
		return JoinRecords(stored, known)
	}
	r := revive(a, b, time.Now().UnixMilli())
	return r.AppendText(nil)
}

// equal compares all that is kept.
func (r *Record) equal(o *Record) bool {
	return r.Status == o.Status && r.Until == o.Until && r.Touched == o.Touched && r.Purged == o.Purged &&
		r.Notice == o.Notice && slices.Equal(r.Seats, o.Seats)
}

// matters tells whether a record that the store does not have any more must be there: not when it has ended there by
// itself.
func (r *Record) matters() bool {
	return r.Version > 0 && (r.ttl(0) == 0 || r.Notice.pending())
}

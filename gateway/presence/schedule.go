package presence

import (
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// nextDue takes a user whose work is due and a worker for it; without one it tells how long to wait.
func (t *Tracker) nextDue() (*user, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.due) == 0 || t.busy >= maxWorkers {
		return nil, time.Hour
	}
	u := t.due[0]
	if wait := u.at - t.now(); wait > 0 {
		return nil, pause(wait)
	}
	t.due.set(u, never)
	u.busy = true
	t.busy++
	return u, 0
}

// get returns a user, making it when it is not there. The caller holds mu.
func (t *Tracker) get(id names.UserID) *user {
	u := t.users[id]
	if u == nil {
		u = &user{id: id, place: -1, at: never}
		t.users[id] = u
		t.level(&t.d.Metrics.users, 1)
	}
	return u
}

// owns tells whether this node is the owner of the user's deadline. The caller holds mu.
func (t *Tracker) owns(u names.UserID) bool { return t.view.owner(u) == t.d.Node }

// schedule finds out when something is to be done for a user, and forgets one for whom there is nothing. The caller
// holds mu.
func (t *Tracker) schedule(u *user) {
	t.tally(u)
	if u.busy {
		return // work ends with schedule
	}
	at := t.dueAt(u)
	if at < never {
		at = max(at, u.notBefore)
	}
	if t.due.set(u, at) {
		poke(t.wake)
	}
	if at == never && !u.local && u.follow == 0 && u.pins == 0 && !u.syncing && !u.queued && u.task == nil && t.users[u.id] == u {
		delete(t.users, u.id)
		t.level(&t.d.Metrics.users, -1)
	}
}

// dueAt is when something is to be done for a user. The caller holds mu.
func (t *Tracker) dueAt(u *user) int64 {
	at := never
	if (u.dirty && !u.syncing) || u.touch || u.lost {
		at = 0
	}
	if u.touched {
		at = min(at, u.rec.keepUntil(t.grace())) // to be forgotten then
	}
	owner := t.owns(u.id)
	if u.rec.State == Active && (owner || u.local) {
		end := max(u.rec.Until, u.asked)
		if !owner {
			end += fallbackMillis
		}
		at = min(at, max(end, t.heldUntil))
	}
	if !owner {
		return at
	}
	if len(u.dead) > 0 || u.rec.torn() {
		at = 0
	}
	if n := &u.rec.Notice; u.task == nil && n.pending() {
		if n.State == NoticeDue || n.Owner == t.d.Node {
			at = min(at, t.heldUntil)
		} else {
			at = min(at, max(n.Lease+1, t.heldUntil))
		}
	}
	if end, _, ok := t.purgeAt(&u.rec); ok {
		at = min(at, end)
	}
	return at
}

func (t *Tracker) grace() int64 { return t.d.Config().PrivateGrace.Milliseconds() }

// tally counts a session of this node as active or not, and one that is not written. The caller holds mu.
func (t *Tracker) tally(u *user) {
	if is := u.dirty || u.syncing; is != u.unsettled {
		u.unsettled = is
		if is {
			t.unsettled++
		} else if t.unsettled--; t.unsettled == 0 {
			poke(t.settled)
		}
	}
	if u.tallied {
		t.count(u, -1)
	}
	// A session without connections (protocol §10.1) is counted by the node that owns its deadline.
	u.tallied = u.local || u.rec.State == Active && !u.rec.anybody() && t.owns(u.id)
	u.counted = u.rec.State
	if u.tallied {
		t.count(u, 1)
	}
}

// count counts a user in the metrics as what it is, or was, tallied as.
func (t *Tracker) count(u *user, d int64) {
	if u.counted == Active {
		t.level(&t.d.Metrics.active, d)
	} else {
		t.level(&t.d.Metrics.inactive, d)
	}
}

// level changes a level of the metrics. The caller holds mu.
func (t *Tracker) level(of *atomic.Int64, d int64) {
	if !t.uncounted {
		of.Add(d)
	}
}

// backoff is the pause before the next try, in milliseconds.
func backoff(fails int32) int64 { return min(int64(retryFirst)<<min(fails, 10), retryLast) }

// pause is a wait of so many milliseconds as a duration, an hour at most: deadlines may be absurdly late.
func pause(ms int64) time.Duration {
	return time.Duration(min(ms, time.Hour.Milliseconds())) * time.Millisecond
}

package presence

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Tracker is what one node knows and does about the users of a session pool. All methods may be called concurrently,
// but not under a lock that one of the Deps takes.
type Tracker struct {
	d   Deps
	log *slog.Logger

	mu sync.Mutex // guards all below but notices, and the fields of all users
	// users are those with connections here, those who are followed, and those for whom this node has something to do.
	users map[names.UserID]*user
	due   dueHeap
	view  *view
	// busy counts the works under way, unsettled the users whose connections are not written yet, touches those with a
	// touch that is not.
	busy, unsettled, touches int
	// changed are the users whose watchers may have to be told; telling is true while somebody does.
	changed []*user
	telling bool
	// loads are the users whose records are to be read; loading is true while somebody does.
	loads   map[names.UserID]struct{}
	loading bool
	stopped bool
	member  membership

	notices *notices
	wake    chan struct{} // has a token when an entry of due has become the first, or a worker is free
	settled chan struct{} // has a token when unsettled has become 0
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// user is what a Tracker knows about one user.
type user struct {
	id names.UserID
	// rec is the join of all that was heard of the record; known is false when nothing was, or the record has vanished.
	rec   Record
	known bool

	// local says that this node has connections, as far as the Tracker was told; until is the latest deadline of theirs.
	local bool
	until int64
	// wishes counts the activities; those up to seen are in the record.
	wishes, seen uint64
	// dirty says that what is here must be compared with the record. syncing is true while somebody does, and synced
	// is closed then.
	dirty, syncing bool
	synced         chan struct{}

	// follow counts the followers; told is what they were told, if base is set; since is when the first came.
	follow int
	told   Status
	base   bool
	since  int64
	queued bool

	// asked is a deadline that a node has told, later than the record's.
	asked int64
	// dead are nodes whose seats must be emptied.
	dead []names.NodeID
	// touch says that Keep must be moved on; touched that it was for this node.
	touch, touched bool
	task           *task
	// pins counts those who hold the user and do not show in another field.
	pins int

	// at is when work is due, place where that stands in the heap (-1: not there). busy is true while it is done.
	at        int64
	place     int
	busy      bool
	fails     int
	notBefore int64
	counted   State // in the metrics, when tallied
	tallied   bool
	unsettled bool // counted in the Tracker's
}

// New returns a Tracker that does nothing before Start, but may be called already.
func New(d Deps) *Tracker {
	t := &Tracker{
		d: d, log: d.Log, users: make(map[names.UserID]*user), view: newView(d.Node, nil),
		loads: make(map[names.UserID]struct{}), wake: make(chan struct{}, 1), settled: make(chan struct{}, 1),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.member.calmAt = t.now() + startMillis
	t.notices = newNotices(t)
	return t
}

// Start begins the work in the background.
func (t *Tracker) Start() {
	t.wg.Go(t.run)
	t.wg.Go(t.notices.run)
}

// Stop waits until the departures of this node's connections are written, for as long as ctx allows, gives notices
// being sent back and ends everything that Start began.
func (t *Tracker) Stop(ctx context.Context) {
	for ctx.Err() == nil && !t.isSettled() {
		select {
		case <-t.settled:
		case <-ctx.Done():
		}
	}
	t.notices.stop(ctx)
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.cancel()
	t.wg.Wait()
}

func (t *Tracker) isSettled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsettled == 0
}

func (t *Tracker) now() int64 { return t.d.Now().UnixMilli() }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run hands out what is due, until the Tracker ends.
func (t *Tracker) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	t.look()
	for {
		u, wait := t.nextDue()
		if u != nil {
			t.wg.Go(func() { t.work(u) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-tick.C:
			t.look()
		case <-t.ctx.Done():
			return
		}
	}
}

// nextDue takes a user whose work is due and a worker for it; without one it tells how long to wait.
func (t *Tracker) nextDue() (*user, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.due) == 0 || t.busy >= maxWorkers {
		return nil, time.Hour
	}
	u := t.due[0]
	if wait := u.at - t.now(); wait > 0 {
		return nil, time.Duration(wait) * time.Millisecond
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
		t.d.Metrics.users.Add(1)
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
		t.d.Metrics.users.Add(-1)
	}
}

// dueAt is when something is to be done for a user. The caller holds mu.
func (t *Tracker) dueAt(u *user) int64 {
	at := never
	if (u.dirty && !u.syncing) || u.touch {
		at = 0
	}
	if u.touched {
		at = min(at, u.rec.Keep) // to be forgotten then
	}
	owner := t.owns(u.id)
	if u.rec.State == Active && (owner || u.local) {
		end := max(u.rec.Until, u.asked)
		if !owner {
			end += fallbackMillis
		}
		at = min(at, end)
	}
	if !owner {
		return at
	}
	if len(u.dead) > 0 {
		at = 0
	}
	if n := &u.rec.Notice; u.task == nil && n.pending() {
		if n.State == NoticeDue || n.Owner == t.d.Node {
			at = 0
		} else {
			at = min(at, n.Lease+1)
		}
	}
	if end, _, ok := u.rec.purgeAt(t.grace()); ok {
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
	count := func(d int64) {
		if u.counted == Active {
			t.d.Metrics.active.Add(d)
		} else {
			t.d.Metrics.inactive.Add(d)
		}
	}
	if u.tallied {
		count(-1)
	}
	// A session without connections (protocol §10.1) is counted by the node that owns its deadline.
	u.tallied = u.local || u.rec.State == Active && !u.rec.anybody() && t.owns(u.id)
	u.counted = u.rec.State
	if u.tallied {
		count(1)
	}
}

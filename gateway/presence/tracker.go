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
	// self is the node's id as it stands in records.
	self []byte

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
	// young are the users who are followed since the last tick, again those since the one before: see second.
	young, again map[names.UserID]struct{}
	stopped      bool
	// uncounted says that this Tracker is in no level of the metrics any more.
	uncounted bool
	member    membership
	graces    graces
	orphans   orphans
	// heldUntil is when activities end and notices are sent again after the store was lost.
	heldUntil int64

	notices *notices
	wake    chan struct{} // has a token when an entry of due has become the first, or a worker is free
	settled chan struct{} // has a token when unsettled has become 0
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// user is what a Tracker knows about one user. There is one for each user with connections here: its fields are ordered
// so that it is small.
type user struct {
	id names.UserID
	// rec is the join of all that was heard of the record; known is false when nothing was, or the record has vanished.
	rec Record
	// until is the latest deadline of the connections of this node.
	until int64
	// wishes counts the activities; those up to seen are in the record.
	wishes, seen uint32
	// synced is closed when syncing is over; nil otherwise.
	synced chan struct{}
	// told is what the followers were told, if base is set; since is when the first came.
	told  Status
	since int64
	// asked is a deadline that a node has told, later than the record's.
	asked int64
	// dead are nodes whose seats must be emptied.
	dead []names.NodeID
	task *task
	// at is when work is due, place where that stands in the heap (-1: not there).
	at        int64
	place     int
	notBefore int64

	// follow counts the followers, pins those who hold the user and do not show in another field.
	follow, pins int32
	fails        int32
	known        bool
	// local says that this node has connections, as far as the Tracker was told.
	local bool
	// dirty says that what is here must be compared with the record. syncing is true while somebody does.
	dirty, syncing bool
	base, queued   bool
	// touch says that Keep must be moved on; touched that it was for this node.
	touch, touched bool
	lost           bool  // the record must be written back
	busy           bool  // the work that was due is being done
	counted        State // in the metrics, when tallied
	tallied        bool
	unsettled      bool // counted in the Tracker's
}

// New returns a Tracker that does nothing before Start, but may be called already.
func New(d Deps) *Tracker {
	t := &Tracker{
		d: d, log: d.Log, self: []byte(d.Node), users: make(map[names.UserID]*user), view: newView(d.Node, nil),
		loads: make(map[names.UserID]struct{}), wake: make(chan struct{}, 1), settled: make(chan struct{}, 1),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.member.calmAt, t.graces.last = t.now()+startMillis, t.grace()
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
	t.uncount()
}

// uncount takes what is left out of the levels of the metrics, which the session pools of a process share.
func (t *Tracker) uncount() {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.d.Metrics
	m.users.Add(-int64(len(t.users)))
	for _, u := range t.users {
		if u.tallied {
			t.count(u, -1)
		}
		if u.follow > 0 {
			m.followed.Add(-1)
		}
	}
	t.uncounted = true
	t.notices.mu.Lock()
	m.noticesWaiting.Add(-int64(len(t.notices.heap)))
	t.notices.mu.Unlock()
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

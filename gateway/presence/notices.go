package presence

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// errLeaseLost ends a request whose notice another node has taken over, or whose lease could not be renewed.
var errLeaseLost = errors.New("another node sends the notice")

// Bounds of the notices (decision D27), times in milliseconds.
const (
	noticeSenders   = 32
	maxNotices      = 100_000
	noticeFirstWait = 1000
	noticeLastWait  = 30_000
	noticeLife      = 600_000
	renewMillis     = 10_000
	// renewAgain is the pause after a renewal that failed.
	renewAgain = 1000
	// leaseMargin is how long before the end of a lease that could not be renewed the request is abandoned.
	leaseMargin = 2000
	// fullWait is the pause before a user is tried again who has found the queue full.
	fullWait = 5000
	// noticeWait bounds one request.
	noticeWait = 5 * time.Minute
	// stopWait bounds what requests under way get at the end.
	stopWait = time.Second
)

// notices tells backends that users have become inactive, again until one answers. One goroutine plans, a bounded number
// sends; those beyond maxNotices stay in their records and are tried later.
type notices struct {
	t *Tracker

	mu      sync.Mutex // guards the fields below; taken inside the Tracker's mu
	heap    taskHeap
	busy    int
	running map[*task]struct{}
	stopped bool
	wake    chan struct{}
	idle    chan struct{} // has a token when busy has become 0
	wg      sync.WaitGroup
}

// task is one notice that this node sends. Only the goroutine that makes an attempt touches it, but cancel.
type task struct {
	u      *user
	period int64
	id     string
	at     int64 // next attempt
	wait   int64 // before the attempt after that
	giveUp int64
	// attempts were made; lease is the end of our right to make one; answered says that only the record has to be told.
	attempts int
	lease    int64
	answered bool
	// cancel ends the request under way; the Tracker's mu guards it.
	cancel context.CancelCauseFunc
}

// mine tells whether a record's notice is the task's, and this node's to send.
func (k *task) mine(n *Notice, self names.NodeID) bool {
	return n.Period == k.period && n.State == NoticeSending && n.Owner == self
}

func newNotices(t *Tracker) *notices {
	return &notices{t: t, running: make(map[*task]struct{}), wake: make(chan struct{}, 1), idle: make(chan struct{}, 1)}
}

// add plans the first attempt for now. It is false when the queue is full: then the user is to be tried later.
func (n *notices) add(u *user, of *Notice) bool {
	now := n.t.now()
	k := &task{u: u, period: of.Period, id: of.ID, at: now, wait: noticeFirstWait, giveUp: of.Since + noticeLife}
	n.t.mu.Lock()
	defer n.t.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped || len(n.heap) >= maxNotices {
		n.t.d.Metrics.noticesFul.Add(1)
		u.notBefore = now + fullWait
		return false
	}
	u.task = k
	n.push(k)
	poke(n.wake)
	return true
}

func (n *notices) push(k *task) {
	heap.Push(&n.heap, k)
	n.t.d.Metrics.noticesWaiting.Add(1)
}

// run makes attempts until the Tracker ends; then it waits for those under way.
func (n *notices) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer n.wg.Wait()
	for {
		k, wait := n.next()
		if k != nil {
			n.wg.Go(func() { n.try(k) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-n.wake:
		case <-n.t.ctx.Done():
			return
		}
	}
}

// next takes a notice that is due and a sender for it; without one it tells how long to wait.
func (n *notices) next() (*task, time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.heap) == 0 || n.busy >= noticeSenders || n.stopped {
		return nil, time.Hour
	}
	if wait := n.heap[0].at - n.t.now(); wait > 0 {
		return nil, pause(wait)
	}
	n.busy++
	k := heap.Pop(&n.heap).(*task)
	n.running[k] = struct{}{}
	n.t.d.Metrics.noticesWaiting.Add(-1)
	return k, 0
}

// try makes one attempt and plans the next if there must be one.
func (n *notices) try(k *task) {
	done := n.attempt(k)
	n.mu.Lock()
	if n.busy--; n.busy == 0 {
		poke(n.idle)
	}
	delete(n.running, k)
	if !done {
		n.push(k)
	}
	n.mu.Unlock()
	if done {
		n.t.mu.Lock()
		k.u.task = nil
		n.t.schedule(k.u)
		n.t.mu.Unlock()
	}
	poke(n.wake)
}

// taskHeap is a container/heap of notices, the earliest first.
type taskHeap []*task

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h taskHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *taskHeap) Push(x any) { *h = append(*h, x.(*task)) }

// Pop is for container/heap.
func (h *taskHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}

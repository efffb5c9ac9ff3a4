package presence

import (
	"container/heap"
	"context"
	"errors"
	"maps"
	"slices"
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

// attempt claims the notice, sends it and notes that it is answered or given up, as far as that goes; done says that
// nothing is left to do.
func (n *notices) attempt(k *task) (done bool) {
	t := n.t
	if !k.answered {
		switch err := n.claim(k); {
		case errors.Is(err, errLeaseLost):
			t.d.Metrics.noticesAbandoned.Add(1)
			return true
		case err != nil:
			k.at = t.now() + noticeFirstWait
			return false
		}
		if !n.deliver(k) {
			return t.ctx.Err() != nil || k.lease == 0
		}
	}
	if err := t.change(t.ctx, k.u, func(r Record) (Record, bool) { return r.sent(k.period) }); err != nil {
		k.at = t.now() + noticeFirstWait
		return false
	}
	return true
}

// claim makes sure that this node alone sends the notice for the next 20 s or more.
func (n *notices) claim(k *task) error {
	t := n.t
	now := t.now()
	if k.lease-now > leaseMillis-renewMillis {
		return nil
	}
	t.mu.Lock()
	owner := t.owns(k.u.id)
	t.mu.Unlock()
	if !owner && k.lease <= now {
		return errLeaseLost
	}
	return n.renew(t.ctx, k, now)
}

// renew makes this node the one that sends the notice for the next 30 s.
func (n *notices) renew(ctx context.Context, k *task, now int64) error {
	t := n.t
	err := t.change(ctx, k.u, func(r Record) (Record, bool) { return r.claim(k.period, t.d.Node, now) })
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !k.mine(&k.u.rec.Notice, t.d.Node) {
		return errLeaseLost
	}
	k.lease = k.u.rec.Notice.Lease
	return nil
}

// deliver makes one request, unless it is not needed any more. It is true when the notice is answered or given up; else
// the next attempt is planned, or lease is 0 because the notice is another node's now.
func (n *notices) deliver(k *task) bool {
	t := n.t
	if !t.d.Config().Notices || k.attempts > 0 && t.isActive(k.u) {
		k.answered = true
		return true
	}
	k.attempts++
	err := n.send(k)
	now := t.now()
	switch {
	case err == nil:
		t.d.Metrics.notices.Add(1)
		k.answered = true
	case errors.Is(err, errLeaseLost):
		t.d.Metrics.noticesAbandoned.Add(1)
		k.lease = 0
	case now+k.wait >= k.giveUp:
		t.d.Metrics.noticesLost.Add(1)
		t.log.Warn("Notice of inactivity is given up", "user", string(k.u.id), "request_id", k.id,
			"attempts", k.attempts, "err", err)
		k.answered = true
	default:
		k.at = now + k.wait
		k.wait = min(2*k.wait, noticeLastWait)
	}
	return k.answered
}

func (t *Tracker) isActive(u *user) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return u.rec.State == Active
}

// send makes one request and keeps the lease meanwhile.
func (n *notices) send(k *task) error {
	t := n.t
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	t.mu.Lock()
	k.cancel = cancel
	t.mu.Unlock()
	t.d.Metrics.noticesSending.Add(1)
	var keeper sync.WaitGroup
	sending, stop := context.WithTimeout(ctx, noticeWait)
	keeper.Go(func() { n.keepLease(sending, k, cancel) })
	err := t.d.Notify(sending, k.u.id, k.id)
	stop()
	keeper.Wait()
	t.d.Metrics.noticesSending.Add(-1)
	t.mu.Lock()
	k.cancel = nil
	t.mu.Unlock()
	if err != nil && errors.Is(context.Cause(ctx), errLeaseLost) {
		return errLeaseLost
	}
	return err
}

// keepLease renews the lease until ctx ends; if it cannot, it ends the request.
func (n *notices) keepLease(ctx context.Context, k *task, cancel context.CancelCauseFunc) {
	timer := time.NewTimer(pause(renewMillis))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		now := n.t.now()
		err := n.renew(ctx, k, now)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			timer.Reset(pause(renewMillis))
		case errors.Is(err, errLeaseLost) || n.t.now() > k.lease-leaseMargin:
			cancel(errLeaseLost)
			return
		default:
			timer.Reset(pause(renewAgain))
		}
	}
}

// stop makes no further attempts. It waits a little for the requests under way, ends those that are left, and gives back
// what this node has claimed, so that the next owner need not wait for the end of the lease.
func (n *notices) stop(ctx context.Context) {
	n.mu.Lock()
	n.stopped = true
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	soon, cancelSoon := context.WithTimeout(ctx, stopWait)
	defer cancelSoon()
	n.awaitIdle(soon)
	n.mu.Lock()
	left := slices.Collect(maps.Keys(n.running))
	n.mu.Unlock()
	n.t.mu.Lock()
	for _, k := range left {
		if k.cancel != nil {
			k.cancel(context.Canceled)
		}
	}
	n.t.mu.Unlock()
	n.awaitIdle(ctx)
	n.release(ctx)
}

func (n *notices) awaitIdle(ctx context.Context) {
	for ctx.Err() == nil {
		n.mu.Lock()
		busy := n.busy
		n.mu.Unlock()
		if busy == 0 {
			return
		}
		select {
		case <-n.idle:
		case <-ctx.Done():
		}
	}
}

// release gives claimed notices back, or notes that they are answered.
func (n *notices) release(ctx context.Context) {
	t := n.t
	var wg sync.WaitGroup
	places := make(chan *task)
	for range noticeSenders {
		wg.Go(func() {
			for k := range places {
				// If it fails, the lease ends by itself.
				_ = t.change(ctx, k.u, func(r Record) (Record, bool) {
					if k.answered {
						return r.sent(k.period)
					}
					return r.release(k.period, t.d.Node)
				})
			}
		})
	}
	n.mu.Lock()
	claimed := slices.DeleteFunc(slices.Clone(n.heap), func(k *task) bool { return !k.answered && k.lease <= t.now() })
	n.mu.Unlock()
	for _, k := range claimed {
		if ctx.Err() == nil {
			places <- k
		}
	}
	close(places)
	wg.Wait()
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

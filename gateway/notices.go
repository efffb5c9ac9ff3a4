package gateway

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// notices tells backends that sessions have become inactive, again until one answers (decision D27). One goroutine
// plans, a bounded number sends; beyond maxNotices waiting ones new ones are dropped and counted.
type notices struct {
	send func(ctx context.Context, n *notice) error
	// obsolete tells that a notice that failed need not be repeated: the user is active again.
	obsolete func(names.UserID) bool
	lost     func(n *notice, err error)
	sent     func(n *notice)
	now      func() time.Duration

	mu   sync.Mutex // guards heap and busy
	heap noticeHeap
	busy int
	wake chan struct{}
	wg   sync.WaitGroup
}

// notice is one notice to one destination.
type notice struct {
	user names.UserID
	dest names.Destination
	// id is the request id, the same at every attempt.
	id      string
	at      time.Duration // next attempt
	wait    time.Duration // before the attempt after that
	giveUp  time.Duration
	attempt int
}

const (
	noticeSenders   = 32
	maxNotices      = 100_000
	noticeFirstWait = time.Second
	noticeLastWait  = 30 * time.Second
	noticeLife      = 10 * time.Minute
)

// add plans the first attempt of a notice for now.
func (q *notices) add(n *notice) {
	now := q.now()
	n.at, n.wait, n.giveUp = now, noticeFirstWait, now+noticeLife
	q.mu.Lock()
	full := len(q.heap) >= maxNotices
	if !full {
		heap.Push(&q.heap, n)
	}
	q.mu.Unlock()
	if full {
		q.lost(n, errTooManyNotices)
		return
	}
	q.poke()
}

func (q *notices) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends; then it waits for the requests under way, which end with ctx.
func (q *notices) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer q.wg.Wait()
	for {
		n, wait := q.next()
		if n != nil {
			q.wg.Go(func() { q.try(ctx, n) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-q.wake:
		case <-ctx.Done():
			return
		}
	}
}

// next takes a notice that is due and a sender for it; without one it tells how long to wait.
func (q *notices) next() (*notice, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 || q.busy >= noticeSenders {
		// A sender that becomes free pokes us.
		return nil, time.Hour
	}
	if wait := q.heap[0].at - q.now(); wait > 0 {
		return nil, wait
	}
	q.busy++
	return heap.Pop(&q.heap).(*notice), 0
}

// try makes one attempt and plans the next if it fails.
func (q *notices) try(ctx context.Context, n *notice) {
	defer q.poke()
	var err error
	obsolete := n.attempt > 0 && q.obsolete(n.user)
	if !obsolete {
		n.attempt++
		err = q.send(ctx, n)
	}
	now := q.now()
	q.mu.Lock()
	q.busy--
	again := err != nil && now+n.wait < n.giveUp && ctx.Err() == nil
	if again {
		n.at = now + n.wait
		n.wait = min(2*n.wait, noticeLastWait)
		heap.Push(&q.heap, n)
	}
	q.mu.Unlock()
	switch {
	case again || obsolete:
	case err != nil:
		q.lost(n, err)
	default:
		q.sent(n)
	}
}

// noticeHeap is a container/heap of notices, the earliest first.
type noticeHeap []*notice

func (h noticeHeap) Len() int           { return len(h) }
func (h noticeHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h noticeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *noticeHeap) Push(x any)        { *h = append(*h, x.(*notice)) }
func (h *noticeHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}

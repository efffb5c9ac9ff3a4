package gateway

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// deadlines says which sessions are due. One goroutine serves all of a session pool: a session has at most one entry,
// and an entry may be early, because deadlines move on without touching it.
type deadlines struct {
	mu   sync.Mutex // guards heap
	heap dueHeap
	// wake has a token when an entry has become the earliest.
	wake chan struct{}
}

type due struct {
	at      time.Duration
	session *session
}

func newDeadlines() *deadlines { return &deadlines{wake: make(chan struct{}, 1)} }

// add adds an entry. It may be called under a session's lock.
func (d *deadlines) add(s *session, at time.Duration) {
	d.mu.Lock()
	heap.Push(&d.heap, due{at, s})
	first := d.heap[0].session == s
	d.mu.Unlock()
	if first {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// run calls expire for every session whose entry is due, until ctx ends.
func (d *deadlines) run(ctx context.Context, now func() time.Duration, expire func(*session)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s, wait := d.next(now())
		if s != nil {
			expire(s)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// next takes the earliest entry out if it is due; otherwise it tells how long to wait.
func (d *deadlines) next(now time.Duration) (*session, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.heap) == 0:
		return nil, time.Hour
	case d.heap[0].at > now:
		return nil, d.heap[0].at - now
	}
	return heap.Pop(&d.heap).(due).session, 0
}

// dueHeap is a container/heap of entries, the earliest first.
type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = due{}
	*h = old[:len(old)-1]
	return x
}

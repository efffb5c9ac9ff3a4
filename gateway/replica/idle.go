package replica

import (
	"context"
	"sync"
	"time"
)

// idleQueue holds views that nobody looks at, in the order in which that began.
type idleQueue struct {
	grace time.Duration

	mu   sync.Mutex // guards list; no other is taken under it
	list []idleView
	wake chan struct{}
}

type idleView struct {
	view *View
	due  time.Time
}

func newIdleQueue(grace time.Duration) *idleQueue {
	return &idleQueue{grace: grace, wake: make(chan struct{}, 1)}
}

func (q *idleQueue) add(v *View) {
	q.mu.Lock()
	q.list = append(q.list, idleView{v, time.Now().Add(q.grace)})
	q.mu.Unlock()
	poke(q.wake)
}

// run hands each view to drop when its grace is over; those for which drop is true wait once more.
func (q *idleQueue) run(ctx context.Context, drop func(*View) (again bool)) {
	for {
		var timer <-chan time.Time
		for {
			v, rest := q.next()
			if v == nil {
				if rest > 0 {
					timer = time.After(rest)
				}
				break
			}
			if drop(v) {
				q.add(v)
			}
		}
		select {
		case <-timer:
		case <-q.wake:
		case <-ctx.Done():
			return
		}
	}
}

// next takes out a view that is due, or tells how long it is until one is; 0: there is none.
func (q *idleQueue) next() (*View, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		q.list = nil
		return nil, 0
	}
	if rest := time.Until(q.list[0].due); rest > 0 {
		return nil, rest
	}
	v := q.list[0].view
	q.list[0] = idleView{}
	q.list = q.list[1:]
	return v, 0
}

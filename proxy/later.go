package proxy

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// A Call that names a Ready function does not keep its goroutine while it waits for a free backend. Its waiter says who
// is to be told, and whoever serves it tells after having given up the destination's lock.

// sweepPause is the shortest time between two looks for such calls whose queue time is over: they end late by that much
// at most.
const sweepPause = 25 * time.Millisecond

// unlock gives up the lock and tells those that were served under it.
func (d *Destination) unlock() {
	w := d.told
	d.told, d.lastTold = nil, nil
	d.mu.Unlock()
	for w != nil {
		next := w.next
		w.next = nil
		w.tell()
		w = next
	}
}

// announce tells the caller of a request, before that stands in the queue, how to give it up. The caller holds the lock,
// which is released meanwhile.
func (d *Destination) announce(t *turn) {
	t.waiter = &waiter{d: d, seq: t.seq, tell: t.call.Ready}
	d.unlock()
	t.call.Queued(t.waiter.leave)
	d.mu.Lock()
}

// enqueueLater queues a request that has been announced. The caller holds the lock, which is released. From then on the
// request belongs to whoever is told: nothing of it may be touched.
func (d *Destination) enqueueLater(ctx context.Context, set *settings, t *turn, q *queue) error {
	w := t.waiter
	t.limit(set)
	w.deadline, w.queue = t.deadline, q
	q.insert(w)
	if !d.sweepingLate {
		d.sweepingLate = true
		d.late.Reset(time.Until(w.deadline))
	}
	d.armWake()
	d.unlock()
	if ctx.Err() != nil {
		// Who was to give it up may have come too early.
		w.leave()
	}
	return errQueued
}

// onLate ends the waiting of the calls whose queue time is over.
func (d *Destination) onLate() {
	now := time.Now()
	var next time.Time
	d.mu.Lock()
	defer d.unlock()
	for _, q := range []*queue{&d.plain, &d.tunnel} {
		for w := q.first; w != nil; {
			after := w.next
			switch {
			case w.tell == nil:
			case !w.deadline.After(now):
				q.remove(w)
				d.grant(w, grant{err: (&turn{}).tooLate(d.name)})
			case next.IsZero() || w.deadline.Before(next):
				next = w.deadline
			}
			w = after
		}
	}
	if d.sweepingLate = !next.IsZero() && !d.closed; d.sweepingLate {
		d.late.Reset(max(next.Sub(now), sweepPause))
	}
}

// leave gives up the waiting of a call: if it waits, it is told at once that it was cancelled.
func (w *waiter) leave() {
	w.d.mu.Lock()
	defer w.d.unlock()
	if w.queue != nil && !w.granted {
		w.queue.remove(w)
		w.d.grant(w, grant{err: context.Canceled})
	}
}

// resume goes on with a call that was told: it has got what its waiter says.
func (x *exchange) resume(ctx context.Context) (*conn, error) {
	g := x.turn.waiter.got
	x.turn.waiter, x.turn.call = nil, nil
	if g.err != nil || g.conn != nil {
		return g.conn, g.err
	}
	x.turn.waits()
	c, err := x.d.connect(ctx, x.set, &x.turn, g.backend)
	if err != nil || c != nil {
		return c, err
	}
	return x.d.acquire(ctx, x.set, &x.turn, nil)
}

// waits is called when the request is about to wait for something.
func (t *turn) waits() {
	if f := t.beforeWait; f != nil {
		t.beforeWait = nil
		f()
	}
}

// later tells whether the request shall not block while it waits in the queue.
func (t *turn) later() bool { return t.call != nil && t.call.Ready != nil }

// errQueued is port.ErrQueued, never wrapped.
var errQueued = port.ErrQueued

package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// errTunnelsFull says that every backend has as many tunnels as it may have.
var errTunnelsFull = errors.New("too many tunnels")

// turn is a request's claim to a connection.
type turn struct {
	// seq is its place in the order of arrival; 0 before it has arrived.
	seq uint64
	// tunnel: the connection may be upgraded, so the backend with the fewest tunnels is wanted.
	tunnel bool
	// deadline is when waiting ends; unset until there is a reason to wait.
	deadline time.Time
	// failed is the last failure to connect.
	failed error
	// call, if set, is a call that may be told later; waiter is what it has in the queue. beforeWait is called once,
	// before the request waits for anything; it may be nil.
	call       *port.Call
	waiter     *waiter
	beforeWait func()
}

// acquire returns a connection for one request: an idle one, a new one, or the first that becomes free. The caller
// must release, drop or upgrade it. stale is a closed connection that the request got before and whose place it still
// holds, or nil.
//
// Errors: port.ErrQueueFull, port.ErrQueueTimeout, port.ErrGone, errTunnelsFull, or what ended ctx.
func (d *Destination) acquire(ctx context.Context, set *settings, t *turn, stale *conn) (*conn, error) {
	for {
		g, err := d.obtain(ctx, set, t, stale)
		if err != nil || g.conn != nil {
			return g.conn, err
		}
		t.waits()
		c, err := d.connect(ctx, set, t, g.backend)
		if err != nil || c != nil {
			return c, err
		}
		stale = nil // refused: the request waits for another try
	}
}

// obtain takes what is there for the request, or waits for it, or returns errQueued when it will be told. stale is a
// closed connection whose place it still holds.
func (d *Destination) obtain(ctx context.Context, set *settings, t *turn, stale *conn) (grant, error) {
	d.mu.Lock()
	if stale != nil {
		d.giveBack(stale, t)
	}
	q := &d.plain
	if t.tunnel {
		q = &d.tunnel
	}
	arrives := t.seq == 0
	if arrives {
		d.seq++
		t.seq = d.seq
	}
	g, err := d.find(t, q, arrives)
	if g == (grant{}) && err == nil && arrives && t.later() {
		d.announce(t)
		g, err = d.find(t, q, arrives)
	}
	switch {
	case err != nil:
		d.unlock()
		return grant{}, err
	case g != (grant{}):
		if stale != nil {
			d.dispatch()
		}
		d.unlock()
		if arrives {
			d.stats.requests.Add(1)
		}
		return g, nil
	}
	if arrives {
		if d.plain.len+d.tunnel.len >= set.queue {
			d.unlock()
			d.stats.refused.Add(1)
			return grant{}, fmt.Errorf("destination %s: %w", d.name, port.ErrQueueFull)
		}
		d.stats.requests.Add(1)
		d.stats.queued.Add(1)
	}
	if arrives && t.later() {
		return grant{}, d.enqueueLater(ctx, set, t, q)
	}
	w := &waiter{seq: t.seq, ready: make(chan struct{}, 1)}
	q.insert(w)
	d.armWake()
	d.unlock()
	t.waits()
	return d.wait(ctx, set, t, q, w)
}

// find takes what is there for a request that arrives or comes back; nothing: it has to wait. The caller holds the lock.
func (d *Destination) find(t *turn, q *queue, arrives bool) (grant, error) {
	if d.closed {
		return grant{}, d.gone()
	}
	if arrives && q.len > 0 {
		return grant{}, nil
	}
	g, full := d.take(t.tunnel)
	if g == (grant{}) && full {
		return grant{}, errTunnelsFull
	}
	return g, nil
}

// wait waits until the request is served.
func (d *Destination) wait(ctx context.Context, set *settings, t *turn, q *queue, w *waiter) (grant, error) {
	t.limit(set)
	timer := time.NewTimer(time.Until(t.deadline))
	defer timer.Stop()
	var err error
	select {
	case <-w.ready:
		return w.got, w.got.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = t.tooLate(d.name)
	}
	d.mu.Lock()
	if !w.granted {
		q.remove(w)
		d.unlock()
		return grant{}, err
	}
	// Served in the same moment: what was got goes to the next.
	switch {
	case w.got.conn != nil:
		d.unreserve(w.got.conn.backend, t)
		d.unlock()
		d.release(w.got.conn)
	case w.got.backend != nil:
		d.uncount(w.got.backend, t)
		d.dispatch()
		d.unlock()
	default:
		d.unlock()
	}
	return grant{}, err
}

// limit sets the end of the waiting, when the first reason to wait comes up.
func (t *turn) limit(set *settings) {
	if t.deadline.IsZero() {
		t.deadline = time.Now().Add(set.queueTimeout)
	}
}

func (t *turn) tooLate(name string) error {
	if t.failed != nil {
		return fmt.Errorf("destination %s: %w: %w", name, port.ErrQueueTimeout, t.failed)
	}
	return fmt.Errorf("destination %s: %w", name, port.ErrQueueTimeout)
}

// take serves a request with what is free. full: it asks for a tunnel, and no backend may have one more.
func (d *Destination) take(tunnel bool) (g grant, full bool) {
	if tunnel {
		return d.takeTunnel()
	}
	if c := d.idle.first; c != nil {
		d.unidle(c)
		return grant{conn: c}, false
	}
	b := d.leastUsed()
	if b == nil {
		return grant{}, false
	}
	d.count(b)
	return grant{backend: b}, false
}

// takeTunnel serves a request that wants an upgrade.
func (d *Destination) takeTunnel() (g grant, full bool) {
	b, full := d.leastTunnels()
	if b == nil {
		return grant{}, full
	}
	b.tunnels++
	for c := d.idle.first; c != nil && b.idle > 0; c = c.next {
		if c.backend == b {
			d.unidle(c)
			return grant{conn: c}, false
		}
	}
	d.count(b)
	return grant{backend: b}, false
}

func (d *Destination) unidle(c *conn) {
	d.idle.remove(c)
	c.backend.idle--
	d.busy.push(c)
}

// count notes that a connection to b is being opened.
func (d *Destination) count(b *backend) {
	b.conns++
	b.dialing++
	d.open++
}

// uncount takes count back, with the request's claim to a tunnel.
func (d *Destination) uncount(b *backend, t *turn) {
	b.dialing--
	d.unreserve(b, t)
	d.gonePlace(b)
}

func (d *Destination) unreserve(b *backend, t *turn) {
	if t.tunnel {
		b.tunnels--
	}
}

// giveBack takes a closed connection out of the count, with the request's claim to a tunnel.
func (d *Destination) giveBack(c *conn, t *turn) {
	d.busy.remove(c)
	d.unreserve(c.backend, t)
	d.forget(c)
}

// forget takes a connection that is in no list any more out of the count.
func (d *Destination) forget(c *conn) {
	d.stats.dropped.Add(1)
	d.stats.connected.Add(-1)
	d.gonePlace(c.backend)
}

func (d *Destination) gonePlace(b *backend) {
	b.conns--
	d.open--
	d.checkEmpty()
}

// dispatch serves the requests that wait with what is free, first come, first served. One that wants a tunnel which is
// not to be had does not hold up the others, nor they it.
func (d *Destination) dispatch() {
	for {
		first, second := &d.plain, &d.tunnel
		if first.first == nil || second.first != nil && second.first.seq < first.first.seq {
			first, second = second, first
		}
		if !d.serve(first) && !d.serve(second) {
			return
		}
	}
}

// serve serves the front of one queue, if it can.
func (d *Destination) serve(q *queue) bool {
	if q.first == nil {
		return false
	}
	g, _ := d.take(q == &d.tunnel)
	if g == (grant{}) {
		return false
	}
	d.grant(q.pop(), g)
	return true
}

func (d *Destination) grant(w *waiter, g grant) {
	w.got, w.granted = g, true
	if w.tell != nil {
		if d.lastTold == nil {
			d.told = w
		} else {
			d.lastTold.next = w
		}
		d.lastTold = w
		return
	}
	w.ready <- struct{}{}
}

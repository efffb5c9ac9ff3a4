package proxy

import (
	"context"
	"net"
	"time"
)

// connect opens a connection to a backend in which the request already has its place. It returns nil without an error
// when the backend cannot be reached: then the backend is set aside and the request has its place no more.
func (d *Destination) connect(ctx context.Context, set *settings, t *turn, b *backend) (*conn, error) {
	t.limit(set)
	until := time.Now().Add(connectTimeout)
	if t.deadline.Before(until) {
		until = t.deadline
	}
	dialing, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	stop := context.AfterFunc(d.life, cancel)
	defer stop()

	d.stats.attempted.Add(1)
	d.stats.connecting.Add(1)
	raw, err := d.dial(dialing, "tcp", b.text)
	d.stats.connecting.Add(-1)

	d.mu.Lock()
	defer d.unlock()
	if err == nil && d.closed { // Close has been through the connections already
		_ = raw.Close()
		err = net.ErrClosed
	}
	if err == nil {
		b.dialing--
		d.stats.established.Add(1)
		d.stats.connected.Add(1)
		c := newConn(raw, b)
		d.busy.push(c)
		if b.suspect { // it is back: those that wait may try it too
			b.suspect = false
			d.dispatch()
		}
		return c, nil
	}
	d.uncount(b, t)
	if cause := context.Cause(ctx); cause != nil || d.closed {
		d.stats.aborted.Add(1)
		d.dispatch()
		if cause == nil {
			cause = d.gone()
		}
		return nil, cause
	}
	d.stats.errored.Add(1)
	d.setAside(b, err)
	t.failed = err
	if !time.Now().Before(t.deadline) {
		d.dispatch()
		return nil, t.tooLate(d.name)
	}
	return nil, nil
}

// setAside leaves a backend that cannot be reached alone for a moment.
func (d *Destination) setAside(b *backend, err error) {
	now := time.Now()
	if !b.suspect {
		d.log.Warn("Backend cannot be reached", "backend", b.text, "err", err)
	}
	if !b.suspect || !now.Before(b.aside) {
		d.stats.setAside.Add(1)
	}
	b.suspect = true
	b.aside = now.Add(minAside + time.Duration(d.intn(int(maxAside-minAside))))
	d.armWake()
}

// redial replaces a connection on which nothing was answered by a new one to the same backend, if that can be reached,
// otherwise by any.
func (d *Destination) redial(ctx context.Context, set *settings, t *turn, c *conn) (*conn, error) {
	_ = c.Close()
	c.detach().free()
	d.mu.Lock()
	b := c.backend
	if b.retired || d.closed {
		d.giveBack(c, t)
		d.unlock()
		return d.acquire(ctx, set, t, nil)
	}
	d.busy.remove(c)
	d.stats.dropped.Add(1)
	d.stats.connected.Add(-1)
	b.dialing++
	d.unlock()
	fresh, err := d.connect(ctx, set, t, b)
	if err != nil {
		return nil, err
	}
	if fresh == nil {
		return d.acquire(ctx, set, t, nil)
	}
	return fresh, nil
}

// release gives a connection back on which a response was read to its end, to the next request or to the idle ones.
func (d *Destination) release(c *conn) {
	if c.aborted.Load() || c.r != c.w {
		d.drop(c, nil)
		return
	}
	c.detach().free()
	c.reused = true
	keep := d.set.Load()
	d.mu.Lock()
	b := c.backend
	if d.closed || b.retired || b.conns > keep.conns {
		d.unlock()
		d.drop(c, nil)
		return
	}
	c.idleUntil = time.Now().Add(keep.keepAlive)
	d.busy.remove(c)
	d.idle.push(c)
	b.idle++
	if d.plain.len+d.tunnel.len > 0 {
		d.dispatch()
	}
	if !d.sweeping && d.idle.first != nil {
		d.sweeping = true
		d.sweep.Reset(keep.keepAlive)
	}
	d.unlock()
}

// drop closes a connection and lets the next request have its place. t is the request's claim, if it still has one to
// a tunnel.
func (d *Destination) drop(c *conn, t *turn) {
	_ = c.Close()
	c.detach().free()
	if t == nil {
		t = &turn{}
	}
	d.mu.Lock()
	d.giveBack(c, t)
	if !d.closed {
		d.dispatch()
	}
	d.unlock()
}

// unused gives a connection back on which nothing was sent.
func (d *Destination) unused(c *conn, t *turn) {
	if t.tunnel {
		d.unclaim(c.backend)
		t.tunnel = false
	}
	if !c.reused { // the backend waits for a request on it
		d.drop(c, nil)
		return
	}
	d.release(c)
}

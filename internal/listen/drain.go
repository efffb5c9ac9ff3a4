package listen

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// grace is how long Drain waits for the rest of a request's head, and how often it looks whether more of the bodies has
// come.
const grace = 500 * time.Millisecond

// Drainer knows the connections of an http.Server and ends them without waiting for those that nobody uses. Its Track
// is the server's ConnState. The zero value is ready; all methods may be called concurrently.
//
// http.Server.Shutdown would do but for connections without a byte, of which browsers and pools open some in advance:
// it counts them as busy for five seconds.
type Drainer struct {
	draining atomic.Bool // set under mu, so that no connection is missed
	mu       sync.Mutex  // guards following
	conns    map[net.Conn]struct{}
	empty    chan struct{} // made by Drain, closed when the last of conns has left
	closed   bool          // empty is closed
}

// Track keeps the set of connections that are not taken over.
func (d *Drainer) Track(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.conns == nil {
			d.conns = make(map[net.Conn]struct{})
		}
		if _, known := d.conns[c]; known {
			return // handed from one server to another
		}
		d.conns[c] = struct{}{}
		if d.draining.Load() {
			_ = c.Close() // accepted at the last moment; its serving goroutine ends by itself
		}
	case http.StateHijacked, http.StateClosed:
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.conns, c)
		d.check()
	case http.StateActive, http.StateIdle:
	}
}

// check tells Drain when no connection is left; d.mu is held.
func (d *Drainer) check() {
	if d.empty != nil && len(d.conns) == 0 && !d.closed {
		d.closed = true
		close(d.empty)
	}
}

// Drain closes the connections that wait for a request, shortly afterwards those whose request is not complete and does
// not go on coming, and lets those with a request under way finish. It returns when none is left, or with the context's error. Listeners must be closed before; taken-over connections are their owners'
// business. Afterwards the server can only be closed.
func (d *Drainer) Drain(ctx context.Context, srv *http.Server) error {
	srv.SetKeepAlivesEnabled(false)
	d.mu.Lock()
	d.draining.Store(true)
	if d.empty == nil {
		d.empty = make(chan struct{})
	}
	d.closeIf(func(c *Conn) bool { return c.Fresh() || c.idle() })
	d.check()
	empty := d.empty
	d.mu.Unlock()
	tick := time.NewTicker(grace)
	defer tick.Stop()
	for {
		select {
		case <-empty:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			d.mu.Lock()
			d.closeIf(func(c *Conn) bool { return c.partial() || c.stuck() })
			d.mu.Unlock()
		}
	}
}

// Draining tells whether Drain or Close has been called: connections are not kept for further requests.
func (d *Drainer) Draining() bool { return d.draining.Load() }

// Close closes every connection that is not taken over, now and later.
func (d *Drainer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining.Store(true)
	for c := range d.conns {
		_ = c.Close()
	}
}

// closeIf closes the connections of which a condition holds; d.mu is held. Their serving goroutines end by themselves.
func (d *Drainer) closeIf(condition func(*Conn) bool) {
	for c := range d.conns {
		if lc, ok := c.(*Conn); ok && condition(lc) {
			_ = lc.Close()
		}
	}
}

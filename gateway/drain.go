package gateway

import (
	"context"
	"time"
)

// drainRate is how many connections are closed in a second at most, so that not all clients come back to the other
// nodes at once (decision D41).
const drainRate = 1000

// closeGrace is how long a client may take to answer a Close when the process stops.
const closeGrace = time.Second

// Drain closes all connections with 1001, spread over as long as it takes at 1,000 a second but no longer than half of
// what ctx leaves. A connection with calls in flight is closed when they are answered, or shortly before ctx ends. New
// handshakes get 503. It returns when no connection is left or ctx ends.
func (p *Pool) Drain(ctx context.Context) {
	p.draining.Store(true)
	defer p.drained.Store(true)
	p.group.Hurry(closeGrace)
	conns := p.conns.all()
	if len(conns) > 0 {
		p.log.Info("Draining", "connections", len(conns))
	}
	spread := time.Duration(len(conns)) * time.Second / drainRate
	patience := make(<-chan time.Time)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		spread = min(spread, left/2)
		t := time.NewTimer(left - min(left/4, lastWords))
		defer t.Stop()
		patience = t.C
	}
	start := time.Now()
	for i, c := range conns {
		due := time.Duration(int64(spread) * int64(i) / int64(len(conns)))
		if wait := due - time.Since(start); wait > drainStep && sleep(ctx, wait) != nil {
			break
		}
		c.drain()
	}
	for p.connCount.Load() > 0 {
		select {
		case <-p.empty:
		case <-patience:
			p.closeAll()
		case <-ctx.Done():
			p.closeAll()
			return
		}
	}
	p.tellEmpty()
}

const (
	// This much is kept of the time for the close handshakes of those who had calls in flight.
	lastWords = time.Second
	// The shortest pause between two closes.
	drainStep = 10 * time.Millisecond
)

func (p *Pool) closeAll() {
	for _, c := range p.conns.all() {
		c.close(closeGoingAway, reasonGoingAway)
	}
}

// drain closes a connection as soon as no call is in flight.
func (c *conn) drain() {
	c.draining.Store(true)
	if c.calls.Load() == 0 {
		c.close(closeGoingAway, reasonGoingAway)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package gateway

import (
	"context"
	"time"
)

// drainRate is how many connections are closed in a second at most, so that not all clients come back to the other
// nodes at once (decision D41).
const drainRate = 1000

// Drain closes all connections with 1001, spread over as long as it takes at 1,000 a second but no longer than half of
// what ctx leaves. A connection with calls in flight is closed when they are answered. New handshakes get 503. It
// returns when no connection is left or ctx ends; in the latter case what is left was closed without waiting.
func (p *Pool) Drain(ctx context.Context) {
	p.draining.Store(true)
	conns := p.conns.all()
	spread := time.Duration(len(conns)) * time.Second / drainRate
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)/2)
	}
	start := time.Now()
	for i, c := range conns {
		due := time.Duration(int64(spread) * int64(i) / int64(len(conns)))
		if wait := due - time.Since(start); wait > 10*time.Millisecond {
			if sleep(ctx, wait) != nil {
				break
			}
		}
		c.drain()
	}
	for p.connCount.Load() > 0 {
		select {
		case <-p.empty:
		case <-ctx.Done():
			for _, c := range p.conns.all() {
				c.close(closeGoingAway, reasonGoingAway)
			}
			return
		}
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

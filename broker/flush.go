package broker

import (
	"context"
	"sync"
)

// flushGroup lets all who wait at the same time share one round trip. Who arrives while one runs waits for the next,
// since what it published may have come after the running one's ping.
type flushGroup struct {
	trip func() error

	mu      sync.Mutex // guards the following
	running bool
	next    *round // whom the next trip serves; nil: nobody waits
}

// round is one trip; err is set before done is closed.
type round struct {
	done chan struct{}
	err  error
}

func newFlushGroup(trip func() error) *flushGroup { return &flushGroup{trip: trip} }

// wait returns the result of a trip that began after the call, or ctx's error.
func (g *flushGroup) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
	}
	r := g.next
	if !g.running {
		g.running = true
		go g.run()
	}
	g.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run makes trips as long as somebody waits. A trip is bounded by its link, never by one of the waiters' contexts.
func (g *flushGroup) run() {
	for {
		g.mu.Lock()
		r := g.next
		g.next = nil
		if r == nil {
			g.running = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		r.err = g.trip()
		close(r.done)
	}
}

package http1

import (
	"context"
	"sync"

	"github.com/swindon-go/swindon/internal/listen"
)

// requestContext is the context of one request. It is done when the handler has returned or the client has left; for
// the latter the connection is watched only from when somebody asks for Done, so that quick handlers pay nothing.
// Its values are the connection's. All methods may be called concurrently.
type requestContext struct {
	context.Context
	conn *listen.Conn

	mu   sync.Mutex // guards following
	done chan struct{}
	err  error
	// watched: conn.Watch was called and Unwatch must be.
	watched bool
	// over: no watch may begin any more.
	over bool
	// after holds what AfterFunc has been given.
	after map[*func()]struct{}
}

// Done returns the channel that is closed when the context is done.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	switch {
	case c.err != nil:
		close(c.done)
	case !c.over:
		c.watched = true
		c.conn.Watch(c.cancel)
	}
	return c.done
}

// Err returns context.Canceled when the context is done. That a client has left is not known before Done is called.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc arranges that f is called in a goroutine of its own when the context is done. Stop prevents that, and tells
// whether it has. Package context looks for this method, and needs no goroutine that waits for each context made from
// this one then. As Done, which it calls, it begins the watch.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	key := &f
	c.after[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.after[key]
		delete(c.after, key)
		return waits
	}
}

func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	for f := range c.after {
		go (*f)() // not here: it may ask for Err
	}
	c.after = nil
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
}

// release ends the watch over the connection, of which others may then dispose.
func (c *requestContext) release() {
	c.mu.Lock()
	c.over = true
	watched := c.watched
	c.watched = false
	c.mu.Unlock()
	if watched {
		c.conn.Unwatch() // without the lock, which cancel needs
	}
}

// end cancels the context after its request.
func (c *requestContext) end() {
	c.release()
	c.cancel()
}

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

func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
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

package backend

import (
	"context"
	"errors"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// HTTPDestination sends a POST to one server of an upstream destination. Errors: port.ErrQueueFull and
// port.ErrQueueTimeout (not sent), port.ErrTimeout, port.ErrTooLarge, port.ErrGone (the destination is being removed),
// the context's, and any other for a broken connection; Reply.Backend is set with them when a server had been chosen. An
// informational reply is final: Reply.Status is its 1xx. It calls c.BeforeWait before it waits for anything, and may return
// port.ErrQueued if c.Ready is set.
type HTTPDestination interface {
	Call(ctx context.Context, c *port.Call) (port.Reply, error)
}

// Requester sends requests over NATS. Errors: port.ErrNoResponders, port.ErrUnavailable, port.ErrTooLarge,
// port.ErrTimeout or the context's.
type Requester interface {
	// Request waits for the one reply.
	Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error)
	// NextRequest returns a number for one Start on a lane.
	NextRequest(lane port.Lane) uint64
	// Start does not wait: done is called exactly once with the reply or an error, on a goroutine that it must not
	// block, perhaps before Start has returned, but never from within it. When Start returns an error, done is not
	// called. m.Header and m.Data may be changed when it returns or done is called.
	Start(lane port.Lane, id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error
	// Cancel ends a request by Start that has no reply yet: its done is called with context.Canceled.
	Cancel(lane port.Lane, id uint64)
}

// Destination is where a name in message-handlers or inactivity-handlers leads. Exactly one field is set.
type Destination struct {
	HTTP HTTPDestination
	NATS *NATS
}

// Resolver finds a destination by its name in the current configuration. It may be called concurrently.
type Resolver func(name string) (Destination, bool)

// errUnknown says that the configuration has no destination of the name.
var errUnknown = errors.New("unknown destination")

// Caller makes the requests of one session pool. All its methods may be called concurrently.
type Caller struct {
	space   names.Space
	resolve Resolver
}

// NewCaller returns the caller of the session pool whose subjects are space.
func NewCaller(space names.Space, resolve Resolver) *Caller {
	return &Caller{space: space, resolve: resolve}
}

func (c *Caller) find(name string) (Destination, error) {
	d, ok := c.resolve(name)
	if !ok || d.HTTP == nil && d.NATS == nil {
		return Destination{}, errUnknown
	}
	return d, nil
}

package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
)

// conn is one websocket of a session pool, from the handshake to its end. There may be hundreds of thousands: keep it
// small.
type conn struct {
	ws      *ws.Conn
	handler *Handler
	n       uint64
	// session is set once, when the connection is associated; before that it is nil.
	session atomic.Pointer[session]
	// pending keeps what is pushed before hello; it is nil from hello on.
	pending atomic.Pointer[pending]
	// calls counts the calls in flight, paused tells that reading waits for one of them, draining that the connection
	// is to be closed when the last of them is answered.
	calls    atomic.Int32
	paused   atomic.Bool
	draining atomic.Bool
	// gone becomes true when the connection has left, watched says that abandon is called then; guarded by mu.
	gone, watched bool

	// watching tells that the client is told about users (protocol §9).
	watching atomic.Bool

	mu sync.Mutex // guards the following and the flags above that say so
	// joined becomes true when the session is set and what was pending has been taken over.
	joined bool
	// flying lists the calls under way over NATS.
	flying *call
	// subs are the connection's subscriptions, in no order.
	subs []*subscription
	// attachments are the namespaces that the connection looks at, in no order.
	attachments []*attachment
	// users are those that the connection is to be told about after its hello.
	users []names.UserID
}

func (c *conn) id() names.ConnID { return names.ConnID{Node: c.handler.pool.deps.Node, N: c.n} }

// left tells whether the connection has left the session pool.
func (c *conn) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// close closes with a code of our table. A connection that is still being authorized gets its 101 first, so that the
// code can be seen. It never blocks.
func (c *conn) close(code closeCode, reason string) {
	if p := c.pending.Load(); p != nil && p.end(code, reason) {
		return
	}
	c.ws.Close(int(code), reason)
}

// send queues a pushed frame, or keeps it until hello. It never blocks and does no I/O, so it may be called under the
// lock of a topic.
func (c *conn) send(f ws.Frame) {
	if p := c.pending.Load(); p != nil && p.keep(f) {
		return
	}
	// A connection that is too slow closes itself.
	_ = c.ws.Send(f)
}

// sendState is send for what the gateway itself tells a connection at its beginning: it does not count among what is
// kept for it before hello.
func (c *conn) sendState(f ws.Frame) {
	if p := c.pending.Load(); p != nil && p.keepState(f) {
		return
	}
	_ = c.ws.Send(f)
}

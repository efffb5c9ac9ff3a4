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

	mu sync.Mutex // guards the following and the flags above
	// flying lists the calls under way over NATS.
	flying *call
	// subs are the connection's subscriptions, in no order.
	subs []*subscription
}

func (c *conn) id() names.ConnID { return names.ConnID{Node: c.handler.pool.deps.Node, N: c.n} }

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

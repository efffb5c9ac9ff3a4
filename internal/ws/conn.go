package ws

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// EarlyBytes bounds what a client may send before its handshake is answered (decision D6).
const EarlyBytes = 4 << 10

// Conn is one client's websocket from before its authorization to its end. All methods may be called from any
// goroutine, except Upgrade, which belongs to the goroutine of the request.
type Conn struct {
	net   net.Conn        // of the hijack
	raw   syscall.RawConn // of net; nil where there is no socket below
	opts  *Options        // shared, complete
	group *Group

	// The reader's own.
	parser parser
	ready  func(fd uintptr) bool // c.readable, made once
	in     input
	deaf   bool // the client's Close has come, or its bytes make no sense: what follows is dropped
	renew  bool // the client is idle: the reader may go on in a fresh goroutine with a small stack

	partial atomic.Bool // bytes of an unfinished message have come since the clock looked last

	mu    sync.Mutex // protects the following
	out   outbox
	alarm int32 // place in the clock's heap + 1; protected by the clock's lock

	state    state
	upgraded bool // the 101 is in the outbox or has left
	serving  bool // messages are handled; until then bytes are kept in early
	paused   bool
	rested   bool // was paused since the last ping, so the pong may be late
	awaiting bool // a ping is out, its pong is due at deadline
	peerDone bool // the client's Close has come
	broken   bool // the client's bytes make no sense: no Close of its can be waited for
	ended    bool // the reader has ended

	early     []byte
	deadline  time.Duration // of the close handshake or of the pong, as the clock counts
	nextPing  time.Duration // when state is open
	wake      chan struct{} // closed to wake the reader from waitFor
	end       *CloseError   // how it ends; set when state leaves open
	req       *http.Request // until Upgrade
	onMessage func(op Opcode, payload []byte) error
	onClose   func(code int, reason string)

	life life // what Context returns; has a lock of its own
}

// state is how far a connection has come.
type state uint8

const (
	stateOpen    state = iota // takes frames
	stateClosing              // a Close is in the outbox or sent; bounded by deadline
	stateClosed               // the socket is closed
)

// Take hijacks the connection of a request that Classify calls Websocket, before it is authorized. From now on the
// client's bytes are read into a buffer of EarlyBytes (one more and the connection is closed), and its leaving cancels
// Context. Nothing is written yet. When the hijack fails the error page can still be sent.
func Take(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	o = o.withDefaults()
	c := &Conn{net: nc, raw: rawConn(nc), group: o.Group, opts: o.Group.share(o), req: r}
	c.out.held = true
	c.parser.limit = o.MaxFrame
	c.parser.pool = &o.Group.messages
	// The client's first bytes may have come with the head. The buffered reader itself is not kept.
	if n := brw.Reader.Buffered(); n > 0 {
		c.early, _ = io.ReadAll(io.LimitReader(onlyBuffered{brw.Reader}, int64(n)))
	}
	o.Counters.Open.Add(1)
	c.ready = c.readable
	go c.read()
	return c, nil
}

// onlyBuffered reads what a bufio.Reader holds.
type onlyBuffered struct{ r *bufio.Reader }

func (b onlyBuffered) Read(p []byte) (int, error) {
	if b.r.Buffered() == 0 {
		return 0, io.EOF
	}
	return b.r.Read(p)
}

// Context is done when the client has left or the connection is closing. Its error is context.Canceled and, by errors.Is
// and errors.As, also the cause, which derived contexts have as well: ErrLeft, ErrTooEarly or a *CloseError. It does not
// descend from the request's context.
func (c *Conn) Context() context.Context { return &c.life }

// RemoteAddr is the address of the client's end of the TCP connection.
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }

// Serve lets messages in, those that came early first. onText is called from the connection's one reader goroutine, one
// call at a time; payload is UTF-8 and valid during the call only. An error of it closes the connection: a *CloseError
// with its code, any other with 1011. Binary messages close it with 1003. onClose is called exactly once, from the
// reader as the last thing it does (or from a goroutine of its own, when the connection ended before Serve), with the
// client's code, ours, or 1006. Serve returns at once and may be called once.
func (c *Conn) Serve(onText func(payload []byte) error, onClose func(code int, reason string)) {
	c.ServeAll(func(op Opcode, payload []byte) error {
		if op != OpText {
			return &CloseError{Code: CodeUnsupported, Reason: "binary messages are not supported"}
		}
		return onText(payload)
	}, onClose)
}

// ServeAll is Serve for handlers that take binary messages, too. op is OpText or OpBinary.
func (c *Conn) ServeAll(onMessage func(op Opcode, payload []byte) error, onClose func(code int, reason string)) {
	c.mu.Lock()
	if c.ended {
		end := c.end
		c.mu.Unlock()
		go onClose(end.Code, end.Reason)
		return
	}
	c.onMessage, c.onClose = onMessage, onClose
	if c.state == stateOpen && c.opts.PingInterval > 0 {
		c.nextPing = c.group.clock.now() + c.jitter()
		c.group.clock.set(c, c.nextPing)
	}
	kick := c.beginServing()
	c.mu.Unlock()
	if kick {
		c.kickReader()
	}
}

// beginServing ends the early phase. It returns whether the reader must be told, because there are early bytes that it
// waits upon no longer. The caller holds mu.
func (c *Conn) beginServing() bool {
	kick := !c.serving && len(c.early) > 0
	c.serving = true
	return kick
}

// kickReader wakes the reader that waits for bytes by a deadline in the past. The reader clears it.
func (c *Conn) kickReader() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) }

// jitter is a ping interval, shortened by up to a fifth so that connections made together do not ping together.
func (c *Conn) jitter() time.Duration {
	d := c.opts.PingInterval
	return d - rand.N(d/5+1)
}

// Queued returns what waits in the outbox or is being written.
func (c *Conn) Queued() (bytes, frames int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.wait.bytes + c.out.flight.bytes, c.out.wait.frames + c.out.flight.frames
}

// PauseReading stops reading after the message that is being handled, so that a client that asks too fast is stopped
// by TCP. Meanwhile no pong is missed (decision D9), and the client's leaving is not seen.
func (c *Conn) PauseReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused, c.rested = true, true
}

// ResumeReading reads on.
func (c *Conn) ResumeReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = false
	c.rouse()
}

// rouse wakes the reader from waitFor. The caller holds mu.
func (c *Conn) rouse() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// waitFor blocks the reader while cond holds; changes of it are announced by rouse. The caller holds mu.
func (c *Conn) waitFor(cond func() bool) {
	for cond() {
		if c.wake == nil {
			c.wake = make(chan struct{})
		}
		wake := c.wake
		c.mu.Unlock()
		<-wake
		c.mu.Lock()
	}
}

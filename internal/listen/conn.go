package listen

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/sock"
)

// The values that Prepare gives to a server. Their only use is that Conn can tell them apart.
const (
	headPhase = 1000 * time.Hour
	idlePhase = 3000 * time.Hour
)

// MaxDeadline is the longest read deadline that may be set on a Conn by hand. Longer ones would be taken for those of
// net/http; nothing in our configuration needs them.
const MaxDeadline = 500 * time.Hour

// Prepare sets up a server for connections of this package. By its read deadlines net/http tells the connection in which
// phase it is, and the connection puts in the limits of the group's Timeouts; so these can change at a reload,
// and the time to the first byte has its own limit, for which net/http has no field (decision D36).
func Prepare(srv *http.Server) {
	srv.ReadHeaderTimeout = headPhase
	srv.IdleTimeout = idlePhase
}

// Timeouts are the limits of a connection's phases; zero means none.
type Timeouts struct {
	// FirstByte runs from the accept to the first byte.
	FirstByte time.Duration
	// Headers runs from the first byte of a request to the end of its head.
	Headers time.Duration
	// KeepAlive runs from the end of a response to the first byte of the next request.
	KeepAlive time.Duration
}

// phase is what a connection's read deadline stands for.
type phase uint32

const (
	phaseNew     phase = iota // accepted, no byte has come
	phaseHead                 // a request's head is coming in
	phaseRequest              // the head is read: deadlines are the handler's
	phaseIdle                 // between requests
	phaseTaken                // hijacked: none of our business any more
)

// Conn is an accepted connection. It embeds *net.TCPConn concretely: a wrapper of net.Conn would lose writev and
// sendfile.
type Conn struct {
	*net.TCPConn
	group  *Group
	phase  atomic.Uint32
	armed  atomic.Bool // a read deadline is set
	closed atomic.Bool
	repair bool                       // see RepairTargets; set before the connection is served
	target string                     // see Target; only the serving goroutine touches it
	bodies atomic.Uint32              // reads of request bodies, begun and ended: odd while one waits
	waited uint32                     // bodies when Drainer looked last; odd: it waited then
	timer  atomic.Pointer[time.Timer] // of LimitResponse; nil until it is called

	sock *sock.Conn // reads and writes from the second request on: a websocket has no use for it; nil where there is none
	own  *own       // until net/http reads, or the connection is taken over: websockets live long
}

func newConn(tc *net.TCPConn, g *Group) *Conn {
	c := &Conn{TCPConn: tc, group: g, own: &own{}}
	if d := g.timeouts.Load().FirstByte; d > 0 {
		c.own.until = time.Now().Add(d)
		c.armed.Store(true)
		c.arm()
	}
	return c
}

// Fresh tells whether no byte has come yet.
func (c *Conn) Fresh() bool { return phase(c.phase.Load()) == phaseNew }

// partial tells whether a request's head has begun to come and is not complete.
func (c *Conn) partial() bool { return phase(c.phase.Load()) == phaseHead }

// idle tells whether a response has been sent and no further request has begun to come.
func (c *Conn) idle() bool { return phase(c.phase.Load()) == phaseIdle }

// stuck tells whether the same read has been waiting for more of a request's body since it was asked last. Only Drainer
// asks.
func (c *Conn) stuck() bool {
	now, before := c.bodies.Load(), c.waited
	c.waited = now
	return now == before && now%2 == 1
}

// Taken tells whether a handler has taken the connection over.
func (c *Conn) Taken() bool { return phase(c.phase.Load()) == phaseTaken }

// RepairTargets lets requests through whose path has a percent sign that is no escape, which net/http refuses. Whoever
// asks for it, before the connection is served, must take the true target of every request from Target.
func (c *Conn) RepairTargets() { c.repair = true }

// Target returns the target of the request being served as it stood in the request line, if that is not what net/http
// was shown (see repairTarget), and forgets it.
func (c *Conn) Target() (string, bool) {
	t := c.target
	c.target = ""
	return t, t != ""
}

// Read reads from the socket. The first byte of a request starts the limit for its head. Empty lines before the first
// request are dropped.
func (c *Conn) Read(p []byte) (int, error) {
	if c.own != nil {
		if n := c.readPending(p); n > 0 {
			return n, nil
		}
	}
	switch phase(c.phase.Load()) {
	case phaseIdle:
		if len(p) < bufferSize {
			c.beginHead() // what is missing from the buffer came with, or during, the request before
		}
	case phaseRequest:
		if len(p) > 1 { // not the one byte by which net/http sees that a client leaves
			c.bodies.Add(1)
			defer c.bodies.Add(1)
		}
		return c.read(p)
	case phaseNew, phaseHead, phaseTaken:
	}
	n, err := c.read(p)
	switch phase(c.phase.Load()) {
	case phaseNew:
		for n > 0 {
			if n = skipEmptyLines(p[:n]); n > 0 || err != nil {
				break
			}
			n, err = c.read(p)
		}
	case phaseHead:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// net/http takes a cut request line for a whole one and would answer 400.
			_ = c.Close()
		}
		return n, err
	case phaseIdle:
	default:
		return n, err
	}
	if n > 0 {
		if c.repair {
			c.target = repairTarget(p[:n])
		}
		c.beginHead()
	}
	return n, err
}

// keep is called when a response has been sent and others may follow.
func (c *Conn) keep() {
	if c.sock == nil {
		c.sock = sock.Of(c.TCPConn)
	}
}

func (c *Conn) read(p []byte) (int, error) {
	if c.sock != nil {
		return c.sock.Read(p)
	}
	return c.TCPConn.Read(p)
}

// Write writes to the socket.
func (c *Conn) Write(p []byte) (int, error) {
	if c.sock != nil {
		return c.sock.Write(p)
	}
	return c.TCPConn.Write(p)
}

// WriteBoth writes two pieces, of which one may be empty, in one system call where that can be.
func (c *Conn) WriteBoth(p, q []byte) error {
	if c.sock != nil {
		_, err := c.sock.WriteBoth(p, q)
		return err
	}
	if len(q) == 0 {
		_, err := c.TCPConn.Write(p)
		return err
	}
	both := net.Buffers{p, q}
	_, err := both.WriteTo(c.TCPConn)
	return err
}

// bufferSize is that of the buffer into which net/http reads when it waits for a request. A test holds that.
const bufferSize = 4096

func (c *Conn) beginHead() {
	c.phase.Store(uint32(phaseHead))
	_ = c.limitRead(time.Now(), c.group.timeouts.Load().Headers)
}

// skipEmptyLines moves what follows leading line ends to the front and returns its length.
func skipEmptyLines(p []byte) int {
	return copy(p, bytes.TrimLeft(p, "\r\n"))
}

// SetReadDeadline sets the deadline for reads, or, when a server set up by Prepare calls it, the limit of the phase that
// begins.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if phase(c.phase.Load()) == phaseTaken {
		return c.TCPConn.SetReadDeadline(t)
	}
	if t.IsZero() {
		c.phase.Store(uint32(phaseRequest))
		return c.clear()
	}
	now := time.Now()
	switch d := t.Sub(now); {
	case d <= MaxDeadline:
		c.armed.Store(true)
		return c.TCPConn.SetReadDeadline(t)
	case d <= headPhase:
		if p := phase(c.phase.Load()); p == phaseNew || p == phaseHead {
			return nil // the limit stands since the accept, or since the first byte
		}
		c.phase.Store(uint32(phaseHead)) // the request was in the buffer already
		return c.limitRead(now, c.group.timeouts.Load().Headers)
	default:
		c.stopTimer()
		c.phase.Store(uint32(phaseIdle))
		c.keep()
		return c.limitRead(now, c.group.timeouts.Load().KeepAlive)
	}
}

// limitRead sets the read deadline of the socket; without one for d = 0.
func (c *Conn) limitRead(from time.Time, d time.Duration) error {
	if d <= 0 {
		return c.clear()
	}
	c.armed.Store(true)
	return c.TCPConn.SetReadDeadline(from.Add(d))
}

// clear takes the read deadline away; a call without one costs nothing, since net/http makes many.
func (c *Conn) clear() error {
	if !c.armed.Swap(false) {
		return nil
	}
	return c.TCPConn.SetReadDeadline(time.Time{})
}

// SetDeadline sets both deadlines. By net/http it is called in one case only, when a handler takes the connection over:
// from then on all limits are the new owner's.
func (c *Conn) SetDeadline(t time.Time) error {
	if phase(c.phase.Swap(uint32(phaseTaken))) != phaseTaken { // the new owner may call it while others read
		c.own, c.sock = nil, nil // websockets live long, and read and write by themselves
	}
	c.stopTimer()
	return c.TCPConn.SetDeadline(t)
}

// LimitResponse closes the connection d from now unless the response has been sent, or the connection taken over, before.
// It must be called by the goroutine that serves the connection.
func (c *Conn) LimitResponse(d time.Duration) {
	t := c.timer.Load()
	switch {
	case d <= 0:
		c.stopTimer()
	case t == nil:
		c.timer.Store(time.AfterFunc(d, func() { _ = c.Close() }))
	default:
		t.Reset(d)
	}
}

func (c *Conn) stopTimer() {
	if t := c.timer.Load(); t != nil {
		t.Stop()
		if c.Taken() || c.closed.Load() {
			c.timer.Store(nil) // websockets live long: the timer need not
		}
	}
}

// Close closes the socket and gives the connection's place in the group free. It may be called more than once and by
// any goroutine.
func (c *Conn) Close() error {
	err := c.TCPConn.Close()
	if !c.closed.Swap(true) {
		c.stopTimer()
		c.group.limit.release()
	}
	return err
}

var _ net.Conn = (*Conn)(nil)

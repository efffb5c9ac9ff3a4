package listen

import (
	"errors"
	"os"
	"time"
)

// own is what a connection keeps for a server that reads the heads of requests itself.
type own struct {
	until   time.Time     // limit of the phase, in which ReadHead reads; zero: none
	socket  time.Time     // the socket's read deadline that ReadHead has set, or what comes to the same; zero: none
	watched chan struct{} // closed by the goroutine of Watch; nil without one
	pending []byte        // see HandOver
}

// The methods of this file are for a server that reads the heads of requests itself (package http1) and says by them in
// which phase the connection is. Only the goroutine that serves the connection calls them, and after HandOver nobody.

// ReadHead reads the next bytes that come, under the limit of the phase: the one for the first byte of a connection or
// of a further request, or after BeginHead that for a head.
//
// The socket's own deadline is moved only when it is later than the limit or has passed before it: most requests need
// neither.
func (c *Conn) ReadHead(p []byte) (int, error) {
	for {
		if !c.own.until.IsZero() && (c.own.socket.IsZero() || c.own.until.Before(c.own.socket)) {
			c.arm()
		}
		n, err := c.read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if !c.own.until.IsZero() && !time.Now().Before(c.own.until) {
			return 0, err
		}
		c.arm() // it was the deadline of a phase that is over
	}
}

// arm makes the socket's read deadline that of the phase.
func (c *Conn) arm() {
	c.own.socket = c.own.until
	_ = c.TCPConn.SetReadDeadline(c.own.until)
}

// limitPhase begins a phase of at most d; without a limit for d = 0.
func (c *Conn) limitPhase(p phase, d time.Duration) {
	c.phase.Store(uint32(p))
	c.own.until = time.Time{}
	if d > 0 {
		c.own.until = time.Now().Add(d)
	}
}

// BeginHead says that a part of a head has come. It may be called more than once for the same.
func (c *Conn) BeginHead() {
	if !c.partial() {
		c.limitPhase(phaseHead, c.group.timeouts.Load().Headers)
	}
}

// BeginRequest says that a head has come and its request is being served.
func (c *Conn) BeginRequest() { c.phase.Store(uint32(phaseRequest)) }

// BeginIdle says that a response has been sent.
func (c *Conn) BeginIdle() {
	c.stopTimer()
	c.keep()
	c.limitPhase(phaseIdle, c.group.timeouts.Load().KeepAlive)
}

// HandOver prepares the connection for a net/http server that was set up by Prepare, which is to read rest before what
// comes from the socket. Rest is at most 4096 bytes and begins with a request, or a part of one, whose limit goes on.
func (c *Conn) HandOver(rest []byte) {
	c.BeginHead()
	c.arm()
	c.armed.Store(!c.own.until.IsZero())
	c.own.pending = rest
}

// readPending reads what was handed over, and forgets what was kept for the other server when that is done.
func (c *Conn) readPending(p []byte) int {
	n := copy(p, c.own.pending)
	if c.own.pending = c.own.pending[n:]; len(c.own.pending) == 0 {
		c.own = nil
	}
	if n > 0 && c.repair {
		c.target = repairTarget(p[:n])
	}
	return n
}

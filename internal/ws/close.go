package ws

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"
)

// Close ends the connection in order: what is queued goes first, then a Close frame, then the client's Close is waited
// for, within CloseTimeout; then TCP is closed. Before Upgrade it closes TCP at once. It never blocks; only the first
// Close counts. A reason longer than 123 bytes is cut.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	c.closeLocked(&CloseError{Code: code, Reason: reason})
}

// closeLocked is Close. The caller holds mu, which is released.
func (c *Conn) closeLocked(e *CloseError) {
	if c.state != stateOpen {
		c.mu.Unlock()
		return
	}
	c.end = e
	if !c.upgraded {
		c.mu.Unlock()
		c.hangUp()
		return
	}
	c.beginClosing(e, closeFrame(e.Code, e.Reason))
}

// beginClosing queues the last frame and starts the time of the close handshake. The caller has set end and holds mu,
// which is released.
func (c *Conn) beginClosing(e *CloseError, last Frame) {
	c.state = stateClosing
	c.out.held = false
	c.out.add(c.group, last)
	c.deadline = c.group.clock.now() + c.group.closeTimeout(c.opts.CloseTimeout)
	c.group.clock.set(c, c.deadline)
	kick := c.beginServing() // the reader must look for the client's Close
	c.rouse()
	c.kickFlush()
	if kick {
		c.kickReader()
	}
	c.life.finish(e)
}

// after is what is to be done with the socket when the last frame has left.
type after uint8

const (
	afterNothing   after = iota
	afterHangUp          // both Close frames have been exchanged
	afterHalfClose       // the client cannot be understood: end the stream and wait for it to do the same
)

// afterFlush tells what to do now that the outbox is empty. The caller holds mu.
func (c *Conn) afterFlush() after {
	switch {
	case c.state != stateClosing || !c.out.settled():
		return afterNothing
	case c.broken:
		return afterHalfClose
	case c.peerDone:
		return afterHangUp
	}
	return afterNothing
}

// do acts on the socket, without mu.
func (c *Conn) do(a after) {
	switch a {
	case afterNothing:
	case afterHangUp:
		c.hangUp()
	case afterHalfClose:
		// Closing at once while the client still sends would reset the connection and take our Close frame with it.
		if cw, ok := c.net.(interface{ CloseWrite() error }); !ok || cw.CloseWrite() != nil {
			c.hangUp()
		}
	}
}

// peerClosed handles the client's Close frame: it is answered with its code (decision D7), or it is the answer to ours.
// The error, if any, says that the frame is wrong.
func (c *Conn) peerClosed(payload []byte) error {
	e := &CloseError{Code: CodeNoStatus}
	if len(payload) > 0 {
		if len(payload) < 2 {
			return framing("bad close frame")
		}
		e.Code = int(binary.BigEndian.Uint16(payload))
		e.Reason = string(payload[2:])
		switch {
		case !validCode(e.Code):
			return framing("bad close code")
		case !utf8.ValidString(e.Reason):
			return &CloseError{Code: CodeInvalidData, Reason: "close reason is not UTF-8"}
		}
	}
	c.mu.Lock()
	c.peerDone = true
	if c.state == stateOpen {
		c.end = e
		c.beginClosing(e, closeFrame(e.Code, ""))
		return nil
	}
	a := c.afterFlush()
	c.mu.Unlock()
	c.do(a)
	return nil
}

// validCode tells whether a client may send a code (RFC 6455 §7.4).
func validCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code == 1004 || code == CodeNoStatus || code == CodeAbnormal:
		return false
	}
	return code >= 1000 && code <= 1014
}

// failReading closes after bytes that make no sense: nothing that follows can be understood.
func (c *Conn) failReading(e *CloseError) {
	c.mu.Lock()
	c.broken = true
	if c.state == stateOpen {
		c.closeLocked(e)
		return
	}
	a := c.afterFlush()
	c.mu.Unlock()
	c.do(a)
}

// lost ends the connection after a failed write.
func (c *Conn) lost() {
	c.hangUp()
	c.mu.Lock()
	c.out.flight = load{}
	c.mu.Unlock()
}

// hangUp closes TCP. The reader sees it and ends.
func (c *Conn) hangUp() { c.hangUpFor(ErrLeft) }

// hangUpFor is hangUp with the cause that Context gets when the connection was not closing already.
func (c *Conn) hangUpFor(cause error) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	c.state = stateClosed
	if c.end != nil {
		cause = c.end
	} else {
		c.end = &CloseError{Code: CodeAbnormal}
	}
	c.out.drop(c.group, 0)
	c.req, c.early = nil, nil
	c.group.clock.drop(c)
	c.rouse()
	c.mu.Unlock()
	c.life.finish(cause)
	_ = c.net.Close()
}

// tick is called by the clock at or before the time that was asked for.
func (c *Conn) tick(now time.Duration) {
	c.mu.Lock()
	switch {
	case c.state == stateClosed:
	case c.state == stateClosing:
		if now >= c.deadline {
			c.mu.Unlock()
			c.hangUp()
			return
		}
		c.group.clock.set(c, c.deadline)
	case c.awaiting:
		c.checkPong(now)
		return
	case now < c.nextPing:
		c.group.clock.set(c, c.nextPing)
	default:
		c.ping(now)
		return
	}
	c.mu.Unlock()
}

// ping sends one and waits for its pong. The caller holds mu, which is released.
func (c *Conn) ping(now time.Duration) {
	c.awaiting = true
	c.rested = c.paused
	c.deadline = now + c.opts.PingTimeout
	c.nextPing = now + c.jitter()
	c.group.clock.set(c, c.deadline)
	c.out.add(c.group, pingFrame())
	c.kickFlush()
}

// pingFrame is a ping without payload.
func pingFrame() Frame { return Frame{wire: "\x89\x00"} }

// checkPong closes the connection when the pong is overdue. It is not while reading is or was paused, while the client
// is sending a long message, nor while the ping may still wait behind frames that the network has not taken (decision
// D9). The caller holds mu, which is released.
func (c *Conn) checkPong(now time.Duration) {
	if now >= c.deadline {
		excused := c.rested || c.out.stalled || c.partial.Swap(false)
		if !excused {
			c.opts.Counters.DeadCloses.Add(1)
			c.closeLocked(&CloseError{Code: CodePingTimeout, Reason: "ping timeout"})
			return
		}
		c.rested = c.paused
		c.deadline = now + c.opts.PingTimeout
	}
	c.group.clock.set(c, c.deadline)
	c.mu.Unlock()
}

// pong notes that the client lives.
func (c *Conn) pong() {
	c.renew = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaiting && c.state == stateOpen {
		c.awaiting = false
		c.group.clock.set(c, c.nextPing)
	}
}

// finish is the reader's last act.
func (c *Conn) finish() {
	c.mu.Lock()
	c.ended = true
	end, onClose := c.end, c.onClose
	c.onClose, c.onMessage = nil, nil
	c.mu.Unlock()
	c.opts.Counters.Open.Add(-1)
	if onClose != nil {
		onClose(end.Code, end.Reason)
	}
}

// asCloseError gives the code to close with after a handler's error: 1011 unless it says another.
func asCloseError(err error) *CloseError {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e
	}
	return &CloseError{Code: CodeInternal}
}

package ws

import (
	"errors"
	"os"
	"time"
	"unicode/utf8"
)

// input is what the last wait brought.
type input struct {
	buf *readBuffer
	n   int
	err error
}

// read is the reader, the one goroutine of a connection. It waits with as few frames on its stack as possible, so that
// an idle connection keeps the smallest stack there is (2 KiB).
func (c *Conn) read() {
	for {
		if c.raw != nil {
			if err := c.raw.Read(c.ready); err != nil {
				c.in.err = err
			}
		} else {
			c.readBlocking()
		}
		if !c.handleInput() {
			c.finish()
			return
		}
		if c.renew {
			// Handling has grown the stack and Go will not shrink it this far. The client is idle, as its pong tells:
			// a fresh goroutine waits on.
			c.renew = false
			go c.read()
			return
		}
	}
}

// readBlocking reads where there is no socket below.
func (c *Conn) readBlocking() {
	b := c.group.getReadBuffer()
	n, err := c.net.Read(b[:])
	c.in = input{b, n, err}
}

// handleInput takes what has come. It returns false when the connection is over.
//
//go:noinline
func (c *Conn) handleInput() bool {
	in := c.in
	c.in = input{}
	if in.buf != nil {
		defer c.group.putReadBuffer(in.buf)
	}
	switch {
	case errors.Is(in.err, os.ErrDeadlineExceeded):
		_ = c.net.SetReadDeadline(time.Time{}) // kickReader
	case in.err != nil || in.n == 0:
		c.left()
		return false
	}
	c.opts.Counters.BytesIn.Add(uint64(in.n))
	early, serving, ok := c.phase(in)
	switch {
	case !ok:
		c.hangUpFor(ErrTooEarly)
		return false
	case serving:
		if len(early) > 0 {
			c.feed(early)
		}
		if in.n > 0 {
			c.feed(in.buf[:in.n])
		}
	}
	return true
}

// phase keeps early bytes, or hands them over when the early phase has ended. ok is false when there are too many.
func (c *Conn) phase(in input) (early []byte, serving, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving {
		early, c.early = c.early, nil
		return early, true, true
	}
	if len(c.early)+in.n > EarlyBytes {
		return nil, false, false
	}
	if in.n > 0 {
		c.early = append(c.early, in.buf[:in.n]...)
	}
	return nil, false, true
}

// feed parses bytes and handles what they hold.
func (c *Conn) feed(data []byte) {
	if c.deaf {
		return
	}
	err := c.parser.feed(data, c.onFrame)
	var e *CloseError
	switch {
	case err == nil:
		if c.parser.idle() {
			return
		}
		c.renew = false
		if !c.partial.Load() {
			c.partial.Store(true)
		}
	case errors.As(err, &e):
		c.deaf = true
		c.failReading(e)
	default: // errPeerDone
		c.deaf = true
	}
}

// errPeerDone ends parsing after the client's Close.
var errPeerDone = errors.New("close frame received")

// onFrame handles one message or control frame.
func (c *Conn) onFrame(op Opcode, payload []byte) error {
	c.opts.Counters.FramesIn.Add(1)
	switch op {
	case OpPing:
		_ = c.Send(NewFrame(OpPong, payload)) // closing or slow: then there is no one to tell
	case OpPong:
		c.pong()
	case OpClose:
		if err := c.peerClosed(payload); err != nil {
			return err
		}
		return errPeerDone
	default:
		c.message(op, payload)
	}
	return nil
}

// message hands a message to the handler, when reading is not paused any more. What comes after our Close is dropped.
func (c *Conn) message(op Opcode, payload []byte) {
	c.mu.Lock()
	c.waitFor(func() bool { return c.paused && c.state == stateOpen })
	open, handle := c.state == stateOpen, c.onMessage
	c.mu.Unlock()
	if !open || handle == nil {
		return
	}
	var err error
	if op == OpText && !utf8.Valid(payload) {
		err = &CloseError{Code: CodeInvalidData, Reason: "message is not UTF-8"}
	} else {
		err = handle(op, payload)
	}
	if err != nil {
		c.mu.Lock()
		c.closeLocked(asCloseError(err))
	}
}

// left ends the connection when the client sends no more. If it has said Close before, our answer leaves first.
func (c *Conn) left() {
	c.mu.Lock()
	c.waitFor(func() bool { return c.state == stateClosing && !c.out.settled() })
	c.mu.Unlock()
	c.hangUp()
}

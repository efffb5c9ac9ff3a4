package proxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Sizes of buffers.
const (
	// bufferSize is what a connection in use reads into; idle ones hold no buffer. A head that does not fit grows it.
	bufferSize = 16 << 10
	// bigBuffer is for long bodies that come fast.
	bigBuffer = 64 << 10
)

var (
	buffers    = sync.Pool{New: func() any { return &buffer{p: make([]byte, bufferSize)} }}
	bigBuffers = sync.Pool{New: func() any { return &buffer{p: make([]byte, bigBuffer)} }}
)

// buffer is a pooled piece of memory.
type buffer struct{ p []byte }

func newBuffer() *buffer    { return buffers.Get().(*buffer) }
func newBigBuffer() *buffer { return bigBuffers.Get().(*buffer) }

// free gives the buffer back. Those of other sizes are left to the garbage collector.
func (b *buffer) free() {
	switch {
	case b == nil:
	case len(b.p) == bufferSize:
		buffers.Put(b)
	case len(b.p) == bigBuffer:
		bigBuffers.Put(b)
	}
}

// longAgo is the deadline that wakes up whoever waits.
var longAgo = time.Unix(1, 0)

// conn is one connection to a backend. Whoever took it from the destination owns it; only abort may be called by
// others.
type conn struct {
	net.Conn
	backend *backend
	// raw is for calls that must not block; nil when the connection is no socket.
	raw syscall.RawConn
	// reused: at least one response has been read from it.
	reused bool
	// aborted is set before the deadlines are moved into the past, so that nobody moves them back.
	aborted atomic.Bool
	// abortFunc is abort, bound once.
	abortFunc func()

	// buf[r:w] has been read and not been used. buf is nil while the connection is idle.
	buf  *buffer
	r, w int

	swapper swapper
	// quickUntil is the deadline for reading that swap has set; zero when it is another.
	quickUntil time.Time

	idleUntil  time.Time
	prev, next *conn // in Destination.idle
}

func newConn(c net.Conn, b *backend) *conn {
	uc := &conn{Conn: c, backend: b}
	uc.abortFunc = uc.abort
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			uc.raw = raw
		}
	}
	return uc
}

// abort makes every read and write of the connection fail from now on. It may be called at any time by anyone.
func (c *conn) abort() {
	c.aborted.Store(true)
	_ = c.SetDeadline(longAgo)
}

// extend lets reads and writes take d from now on, unless the connection was aborted.
func (c *conn) extend(d time.Duration) {
	c.quickUntil = time.Time{}
	_ = c.SetDeadline(time.Now().Add(d))
	if c.aborted.Load() {
		_ = c.SetDeadline(longAgo)
	}
}

// extendRead lets reads take d from now on, for ever if d is 0, unless the connection was aborted.
func (c *conn) extendRead(d time.Duration) {
	var t time.Time
	if d > 0 {
		t = time.Now().Add(d)
	}
	_ = c.SetReadDeadline(t)
	if c.aborted.Load() {
		_ = c.SetDeadline(longAgo)
	}
}

// extendWrite lets writes take d from now on, unless the connection was aborted.
func (c *conn) extendWrite(d time.Duration) {
	_ = c.SetWriteDeadline(time.Now().Add(d))
	if c.aborted.Load() {
		_ = c.SetDeadline(longAgo)
	}
}

// unread returns what was read and not used.
func (c *conn) unread() []byte {
	if c.buf == nil {
		return nil
	}
	return c.buf.p[c.r:c.w]
}

// fill reads more, behind what is unread. The buffer grows up to limit bytes when it is full; then fill fails with
// io.ErrShortBuffer.
func (c *conn) fill(limit int) error {
	if c.buf == nil {
		c.buf, c.r, c.w = newBuffer(), 0, 0
	}
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.buf.p) {
		switch {
		case c.r > 0:
			c.w = copy(c.buf.p, c.buf.p[c.r:c.w])
			c.r = 0
		case len(c.buf.p) < limit:
			grown := &buffer{p: make([]byte, min(4*len(c.buf.p), limit))}
			copy(grown.p, c.buf.p)
			c.buf.free()
			c.buf = grown
		default:
			return io.ErrShortBuffer
		}
	}
	n, err := c.Read(c.buf.p[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// detach hands the buffer over to the caller, who must free it. Nothing is unread afterwards.
func (c *conn) detach() *buffer {
	b := c.buf
	c.buf, c.r, c.w = nil, 0, 0
	return b
}

// takeHead parses the response head at the front of what is unread. It returns false if that is not complete yet; seen
// is how much was looked at in vain before.
func (c *conn) takeHead(h *head, seen int) (bool, error) {
	p := c.unread()
	n := headEnd(p, seen)
	switch {
	case n > maxHeadBytes, n == 0 && len(p) >= maxHeadBytes:
		return false, malformed("head too long")
	case n == 0:
		return false, nil
	}
	c.r += n
	return true, h.parse(p[:n])
}

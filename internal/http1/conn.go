package http1

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/swindon-go/swindon/internal/listen"
)

// headRoom is how long a head that we serve may be. It must not be more than what listen.Conn can hand over.
const headRoom = 4096

// maxPieces is in how many pieces a head that we serve may come. Each is a look at all that has come, and who sends a
// byte at a time should not be able to ask for thousands of them.
const maxPieces = 8

// buffers holds *[headRoom]byte, for reading heads and for writing.
var buffers = sync.Pool{New: func() any { return new([headRoom]byte) }}

// conn is one client connection. It belongs to the goroutine that serves it.
type conn struct {
	s      *Server
	lc     *listen.Conn
	ctx    context.Context // nil until the first request
	remote string
	req    http.Request // for the parser; handlers get copies
	res    response

	// buf[r:w] has been read and not been used.
	buf  *[headRoom]byte
	r, w int
	// gone: it was handed over or taken.
	gone bool
}

func newConn(s *Server, lc *listen.Conn) *conn { return &conn{s: s, lc: lc} }

// serve serves the connection to its end, or until it is handed over or taken.
func (c *conn) serve() {
	c.buf = buffers.Get().(*[headRoom]byte)
	defer c.end() // also when a handler ends the goroutine
	for {
		head, ok := c.readHead()
		if !ok {
			break
		}
		q := &request{}
		if len(head) == 0 || !q.parse(head, &c.req) {
			c.handOver()
			return
		}
		c.r += len(head)
		c.lc.BeginRequest()
		if !c.handle(q, c.request(q)) {
			break
		}
		c.lc.BeginIdle()
		if c.s.conns.Draining() { // asked after the phase was set: Drain closes those that are idle
			break
		}
	}
}

// end disposes of the connection, unless it has another owner.
func (c *conn) end() {
	buffers.Put(c.buf)
	if !c.gone {
		_ = c.lc.Close()
		c.s.conns.Track(c.lc, http.StateClosed)
	}
}

// readHead returns the next head. It is empty when there is none that we could serve; ok is false when the connection
// is at its end.
func (c *conn) readHead() (head []byte, ok bool) {
	for seen, pieces := 0, 0; ; {
		if seen <= 1 { // empty lines before a request are dropped (RFC 9112 §2.2); half of one may have been seen
			c.r += emptyLines(c.unread())
			seen = 0
		}
		p := c.unread()
		if n := headEnd(p, seen); n > 0 {
			return p[:n], true
		}
		if c.r > 0 {
			c.w = copy(c.buf[:], p)
			c.r = 0
		}
		if c.w > 0 {
			if pieces++; pieces > maxPieces || c.w == len(c.buf) || !maybePlain(c.buf[:c.w]) {
				return nil, true
			}
			c.lc.BeginHead()
		}
		seen = c.w
		n, err := c.lc.ReadHead(c.buf[c.w:])
		c.w += n
		if n == 0 && err != nil {
			// A head that breaks off is for net/http to answer.
			return nil, err == io.EOF && c.w > 0 //nolint:errorlint // net returns it as it is
		}
	}
}

func (c *conn) unread() []byte { return c.buf[c.r:c.w] }

// handOver gives the connection with what has been read to net/http.
func (c *conn) handOver() {
	c.gone = true
	c.lc.HandOver(slices.Clone(c.unread()))
	c.s.pass(c.lc)
}

// request is the one that was parsed, with what the handlers need besides.
func (c *conn) request(q *request) *http.Request {
	if c.ctx == nil {
		c.ctx = c.s.context(c.lc)
		c.remote = c.lc.RemoteAddr().String()
	}
	q.Context, q.conn = c.ctx, c.lc
	c.req.RemoteAddr = c.remote
	r := c.req.WithContext(&q.requestContext)
	c.req = http.Request{}
	return r
}

// handle serves one request. It returns false when the connection is to be closed, or has been taken over. It is to be
// closed, too, when a goroutine that the handler has left behind is writing to it: nobody waits for that one, and its
// response and memory are not used again.
func (c *conn) handle(q *request, r *http.Request) (keep bool) {
	w := &c.res
	w.reset(c, q, r)
	q.writer.w = w
	returned, ours := false, false
	defer func() {
		if v := recover(); v != nil {
			keep = false
			c.s.panicked(c.lc, v)
		}
		q.end()
		if !returned {
			ours = q.writer.detach()
		}
		if ours {
			w.free()
		}
	}()
	c.s.full.Handler.ServeHTTP(&q.writer, r)
	q.end() // before the client can see the end of the response
	returned, ours = true, q.writer.detach()
	if !ours || w.hijacked {
		return false
	}
	w.finish()
	return w.keep()
}

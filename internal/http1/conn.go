package http1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/swindon-go/swindon/internal/listen"
)

// headRoom is how long a head that we serve may be. It must not be more than what listen.Conn can hand over.
const headRoom = 4096

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
}

func newConn(s *Server, lc *listen.Conn) *conn { return &conn{s: s, lc: lc} }

// serve serves the connection to its end, or until it is handed over or taken.
func (c *conn) serve() {
	c.buf = buffers.Get().(*[headRoom]byte)
	defer func() { buffers.Put(c.buf) }()
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
	if c.res.hijacked {
		c.s.conns.Track(c.lc, http.StateHijacked)
		return
	}
	_ = c.lc.Close()
	c.s.conns.Track(c.lc, http.StateClosed)
}

// readHead returns the next head. It is empty when there is none that we could serve; ok is false when the connection
// is at its end.
func (c *conn) readHead() (head []byte, ok bool) {
	for seen := 0; ; {
		if seen == 0 { // empty lines before a request are dropped (RFC 9112 §2.2)
			c.r += len(c.unread()) - len(bytes.TrimLeft(c.unread(), "\r\n"))
		}
		p := c.unread()
		if n := headEnd(p, seen); n > 0 {
			return p[:n], true
		}
		if c.r > 0 {
			c.w = copy(c.buf[:], p)
			c.r = 0
		}
		if c.w == len(c.buf) || !maybePlain(c.buf[:c.w]) {
			return nil, true
		}
		if c.w > 0 {
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

// handle serves one request. It returns false when the connection is to be closed, or has been taken over.
func (c *conn) handle(q *request, r *http.Request) (keep bool) {
	w := &c.res
	w.reset(c, q, r)
	defer func() {
		if v := recover(); v != nil {
			keep = false
			c.s.panicked(c.lc, v)
			q.end()
		}
		w.free()
	}()
	c.s.full.Handler.ServeHTTP(w, r)
	q.end() // before the client can see the end of the response
	if w.hijacked {
		return false
	}
	w.finish()
	return w.keep()
}

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// Sizes of request bodies.
const (
	// inlineBody is up to where a body is copied behind the request head: one write, one system call.
	inlineBody = 8 << 10
	// wholeBody is up to where a body is written before the response is read: the socket's buffer takes it. Larger ones
	// are written meanwhile, since a backend may answer before it has read everything (decision D30).
	wholeBody = 64 << 10
)

// maxInterim bounds the 1xx responses before the real one.
const maxInterim = 16

// exchange is one request to a backend and its response. It belongs to one goroutine.
type exchange struct {
	d    *Destination
	set  *settings
	turn turn

	method string
	// out is the request head, with the body behind it if that is small.
	out []byte
	// body is a larger body; stream one that is read while it is written. At most one is set.
	body   []byte
	stream *requestStream
	// interim: 1xx responses are skipped. Otherwise they are final.
	interim bool

	// hostAt is where in out the backend's address stands as Host, hostLen bytes of it; 0 when the Host is another.
	hostAt, hostLen int

	conn *conn
	// backend is the address of the last connection, for logs.
	backend string
	head    head
	resp    body
	// stop ends the watch over the request's context.
	stop func() bool
	// sending gets the result of writing the body, when that goes on beside reading; nil otherwise.
	sending chan error
	// sent is what is known about how much of the request was written.
	sent sent
	// names and in are scratch space for header names and the client's body.
	names []string
	in    []byte
}

// sent says how much of a request was written.
type sent uint8

const (
	sentNothing sent = iota
	sentPart
	sentAll
)

var exchanges = sync.Pool{New: func() any { return &exchange{out: make([]byte, 0, 1024)} }}

func newExchange(d *Destination, method string) *exchange {
	x := exchanges.Get().(*exchange)
	x.d, x.set, x.method = d, d.set.Load(), method
	return x
}

// free ends the use of an exchange that has been finished.
func (x *exchange) free() {
	if cap(x.out) > wholeBody || cap(x.in) > wholeBody {
		return
	}
	clear(x.head.fields)
	clear(x.head.named)
	clear(x.names)
	*x = exchange{
		out: x.out[:0], names: x.names[:0], in: x.in[:0],
		head: head{fields: x.head.fields[:0], named: x.head.named[:0]},
	}
	exchanges.Put(x)
}

// roundTrip sends the request and reads the response head. When it succeeds, finish must be called; when it fails, the
// exchange is over. The error is one of acquire's, port.ErrTimeout, what ended ctx, errMalformed or the network's.
func (x *exchange) roundTrip(ctx context.Context) error {
	c, err := x.d.acquire(ctx, x.set, &x.turn, nil)
	for repeated := false; ; {
		if err != nil {
			return err
		}
		if ctx.Err() != nil { // nothing is sent for somebody who has left
			x.d.unused(c, &x.turn)
			return context.Cause(ctx)
		}
		x.conn, x.backend = c, c.backend.text
		x.placeHost(c.backend.host)
		if err = x.attempt(ctx); err == nil {
			return nil
		}
		x.conn = nil
		if err == errStale { // it was closed while it was idle: nothing was sent
			_ = c.Close()
			c.detach().free()
			c, err = x.d.acquire(ctx, x.set, &x.turn, c)
			continue
		}
		err = explain(ctx, c, err)
		silent := c.w == 0
		wanted, _ := x.join(c)
		if repeated || !wanted || !silent || !x.mayRepeat(c, err) {
			x.d.drop(c, &x.turn)
			return fmt.Errorf("backend %s: %w", x.backend, err)
		}
		repeated = true
		x.d.stats.repeated.Add(1)
		c, err = x.d.redial(ctx, x.set, &x.turn, c)
	}
}

// errStale says that the backend closed the connection, or sent something unasked, before the request was written.
var errStale = errors.New("idle connection is of no use")

// quickAnswer is how long a small request waits for its response, at most, without watching whether its client leaves.
// Most are answered within it, and the watch would cost more than anything else that we do for them.
const quickAnswer = 10 * time.Millisecond

// attempt sends the request on the connection and reads the response head.
func (x *exchange) attempt(ctx context.Context) error {
	c := x.conn
	x.sent = sentNothing
	quick := len(x.body) == 0 && x.stream == nil && x.set.requestTimeout > 2*quickAnswer
	n, answered := 0, false
	if quick {
		var err error
		if n, answered, err = c.swap(x.out, quickAnswer); err != nil {
			x.wrote(n)
			return err
		}
	}
	if !answered {
		x.watch(ctx)
	}
	if n == 0 && c.reused && !c.alive() {
		return errStale
	}
	if err := x.send(n); err != nil {
		return err
	}
	x.d.stats.forwarded.Add(1)
	return x.readResponse(ctx)
}

// watch limits the time from now on and lets the end of ctx abort the connection. It does nothing the second time.
func (x *exchange) watch(ctx context.Context) {
	if x.stop == nil {
		x.conn.extend(x.set.requestTimeout)
		x.stop = context.AfterFunc(ctx, x.conn.abortFunc)
	}
}

// readResponse reads heads up to the one that counts.
func (x *exchange) readResponse(ctx context.Context) error {
	for range maxInterim {
		if err := x.readHead(ctx); err != nil {
			return err
		}
		if x.head.status >= 200 || !x.interim {
			if x.head.status < 200 {
				x.head.keepAlive = false // the real response may still come
			}
			x.resp = x.head.framing(x.method)
			return nil
		}
		if x.head.status == http.StatusSwitchingProtocols {
			if !x.turn.tunnel || !x.head.upgrade {
				return malformed("101 that nobody asked for")
			}
			x.resp = body{kind: bodyNone, done: true}
			return nil
		}
	}
	return malformed("too many 1xx responses")
}

// readHead reads one response head.
func (x *exchange) readHead(ctx context.Context) error {
	for seen := 0; ; {
		if ok, err := x.conn.takeHead(&x.head, seen); ok || err != nil {
			return err
		}
		seen = len(x.conn.unread())
		x.watch(ctx)
		if err := x.conn.fill(maxHeadBytes); err != nil {
			if err == io.EOF && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// send writes the request from its n-th byte on, or its head and starts writing the body.
func (x *exchange) send(n int) (err error) {
	c, rest := x.conn, x.out[n:]
	switch {
	case x.stream != nil, len(x.body) > wholeBody:
		if n, err = c.Write(rest); err != nil {
			break
		}
		x.sent = sentPart
		x.sending = make(chan error, 1)
		go x.sendBody(c, x.sending)
		return nil
	case len(x.body) > 0:
		parts := net.Buffers{rest, x.body}
		var m int64
		m, err = parts.WriteTo(c.Conn)
		n = int(m)
	case len(rest) > 0:
		n, err = c.Write(rest)
	}
	x.wrote(n)
	if err == nil {
		x.sent = sentAll
	}
	return err
}

// placeHost makes the address of the backend the Host, where nothing else is.
func (x *exchange) placeHost(host string) {
	if x.hostAt > 0 {
		x.out = slices.Replace(x.out, x.hostAt, x.hostAt+x.hostLen, []byte(host)...)
		x.hostLen = len(host)
	}
}

// wrote notes that n bytes more have been written.
func (x *exchange) wrote(n int) {
	switch {
	case n >= len(x.out)+len(x.body) && x.stream == nil:
		x.sent = sentAll
	case n > 0:
		x.sent = sentPart
	}
}

// sendBody writes the body beside the reading of the response.
func (x *exchange) sendBody(c *conn, done chan<- error) {
	if x.stream != nil {
		done <- x.stream.writeTo(c, x.set.requestTimeout)
		return
	}
	_, err := c.Write(x.body)
	done <- err
}

// join ends the watch over the context and the writing of the body. wanted: nobody has given up the request.
// written: the request has been written to its end.
func (x *exchange) join(c *conn) (wanted, written bool) {
	wanted = x.stop == nil || x.stop()
	x.stop = nil
	if x.sending == nil {
		return wanted, x.sent == sentAll
	}
	select {
	case err := <-x.sending:
		if err == nil {
			x.sent = sentAll
		}
	default:
		// The backend has answered, or hung up, without reading everything.
		c.abort()
		if x.stream != nil {
			x.stream.interrupt()
		}
		<-x.sending
	}
	x.sending = nil
	return wanted, x.sent == sentAll
}

// finish ends the exchange: the connection is given back if the response was read to its end and nothing speaks
// against another request on it.
func (x *exchange) finish() {
	c := x.conn
	if c == nil {
		return
	}
	wanted, written := x.join(c)
	x.conn = nil
	if !wanted || !written || !x.resp.done || !x.head.keepAlive {
		x.d.drop(c, &x.turn)
		return
	}
	if x.turn.tunnel {
		x.d.unclaim(c.backend)
		x.turn.tunnel = false
	}
	x.d.release(c)
}

// mayRepeat tells whether the request may be sent again after err (decision D30): it went out on a connection that had
// been used before, nothing was answered, and either it was not sent completely or doing it twice does no harm. POST
// is sent again only when not a byte of it was written.
func (x *exchange) mayRepeat(c *conn, err error) bool {
	if !c.reused || !errors.Is(err, errClosed) {
		return false
	}
	if x.stream != nil && x.stream.started.Load() {
		return false
	}
	switch x.method {
	case http.MethodPost:
		return x.sent == sentNothing
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	default:
		return x.sent != sentAll
	}
}

// errClosed says that the backend closed the connection.
var errClosed = errors.New("connection closed by the backend")

// explain turns an error of reading or writing into one that says why.
func explain(ctx context.Context, c *conn, err error) error {
	switch {
	case c.aborted.Load():
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return port.ErrGone // the destination was closed and its time is over
	case errors.Is(err, os.ErrDeadlineExceeded):
		return port.ErrTimeout
	case err == io.EOF, err == io.ErrUnexpectedEOF, isReset(err), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("%w: %w", errClosed, err)
	}
	return err
}

// more reads more of the response's body. The silence before it is bounded by wait; 0 leaves the deadline as it is.
func (x *exchange) more(ctx context.Context, wait time.Duration) error {
	if x.stop == nil {
		x.watch(ctx)
	} else if wait > 0 {
		x.conn.extend(wait)
	}
	err := x.conn.fill(bigBuffer)
	switch {
	case err == nil:
		return nil
	case err == io.EOF && x.resp.kind == bodyUntilClose:
		x.resp.done = true
		return nil
	case err == io.ErrShortBuffer:
		err = malformed("chunk line too long")
	}
	return fmt.Errorf("backend %s: %w", x.backend, explain(ctx, x.conn, err))
}

// takeData returns the next data of the body in a buffer that is the caller's, who must free it. At the end of the body
// there may be no data.
func (x *exchange) takeData(ctx context.Context) ([]byte, *buffer, error) {
	c := x.conn
	for {
		in := c.unread()
		n, used, err := x.resp.gather(in)
		if err != nil {
			return nil, nil, err
		}
		c.r += used
		if n > 0 || x.resp.done {
			full := len(in) == len(c.buf.p)
			rest := c.unread() // the beginning of a chunk's size, or more than was asked for
			buf := c.detach()
			switch {
			case full: // it comes fast
				c.buf = newBigBuffer()
			case len(rest) > 0:
				c.buf = newBuffer()
			}
			if len(rest) > 0 {
				c.w = copy(c.buf.p, rest)
			}
			return in[:n], buf, nil
		}
		if err := x.more(ctx, x.set.requestTimeout); err != nil {
			return nil, nil, err
		}
	}
}

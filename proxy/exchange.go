package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Sizes of request bodies.
const (
	// inlineBody is up to where a body is copied behind the request head: one write, one system call.
	inlineBody = 8 << 10
	// wholeBody is up to where a body is written before the response is read: the socket's buffer takes it. Larger ones
	// are written meanwhile, since a backend may answer before it has read everything (decision D30).
	wholeBody = 64 << 10
)

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
	// heard: a response head has been read, if only a 1xx.
	heard bool
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
	var c *conn
	var err error
	if x.turn.waiter != nil {
		c, err = x.resume(ctx)
	} else {
		c, err = x.d.acquire(ctx, x.set, &x.turn, nil)
	}
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
		if errors.Is(err, errStale) { // it was closed while it was idle: nothing was sent
			_ = c.Close()
			x.join(c)
			c.detach().free()
			c, err = x.d.acquire(ctx, x.set, &x.turn, c)
			continue
		}
		err = explain(ctx, c, err)
		heard := x.heard || c.w > 0
		wanted, _ := x.join(c)
		if repeated || !wanted || heard || !x.mayRepeat(c, err) {
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
	x.sent, x.heard = sentNothing, false
	quick := len(x.body) == 0 && x.stream == nil && x.set.requestTimeout > 2*quickAnswer
	n, answered := 0, false
	if quick {
		var err error
		if n, answered, err = c.swap(x.out, quickAnswer, &x.turn); err != nil {
			x.wrote(n)
			return err
		}
	}
	x.turn.waits()
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

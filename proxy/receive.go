package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxInterim bounds the 1xx responses before the real one.
const maxInterim = 16

// readResponse reads heads up to the one that counts.
func (x *exchange) readResponse(ctx context.Context) error {
	for range maxInterim {
		if err := x.readHead(ctx); err != nil {
			return err
		}
		x.heard = true
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
			if errors.Is(err, io.EOF) && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
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
	case errors.Is(err, io.EOF) && x.resp.kind == bodyUntilClose:
		x.resp.done = true
		return nil
	case errors.Is(err, io.ErrShortBuffer):
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

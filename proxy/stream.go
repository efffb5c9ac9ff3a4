package proxy

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// errClient says that the client's body could not be read.
var errClient = errors.New("request body")

// requestStream passes a request's body on while it comes in.
type requestStream struct {
	body io.Reader
	// length is the declared length; -1 for a chunked body, which goes on chunked.
	length int64
	// limit bounds a body of unknown length.
	limit int64
	// interrupt makes a read of body return.
	interrupt func()
	// started: the client's bytes have been taken, so the request cannot be sent again.
	started atomic.Bool
	// failure is why the client's side failed; set before writeTo returns.
	failure error
}

// Room around the data of a chunk.
const (
	chunkHead = len("4000\r\n")
	chunkTail = len("\r\n")
)

// writeTo copies the body to the backend. While it waits for the client nothing limits the backend's silence; when the
// body has been written, the backend has wait for its answer. When the client's side fails, the connection is aborted.
func (s *requestStream) writeTo(c *conn, wait time.Duration) error {
	c.extendRead(0)
	buf := newBuffer()
	defer buf.free()
	space := buf.p[:len(buf.p)-chunkTail]
	var total int64
	for {
		n, err := s.body.Read(space[chunkHead:])
		if n > 0 {
			s.started.Store(true)
			if total += int64(n); s.length < 0 && total > s.limit {
				return s.fail(c, port.ErrTooLarge)
			}
			if werr := s.write(c, buf.p, n, wait); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.fail(c, fmt.Errorf("%w: %w", errClient, err))
		}
	}
	if s.length < 0 {
		c.extendWrite(wait)
		if _, err := c.Write([]byte("0\r\n\r\n")); err != nil {
			return err
		}
	}
	c.extendRead(wait)
	return nil
}

// write writes n bytes that stand behind the room for a chunk's head.
func (s *requestStream) write(c *conn, p []byte, n int, wait time.Duration) error {
	from, to := chunkHead, chunkHead+n
	if s.length < 0 {
		size := strconv.AppendInt(nil, int64(n), 16)
		from -= len(size) + 2
		copy(p[from:], size)
		copy(p[chunkHead-2:], "\r\n")
		to += copy(p[to:], "\r\n")
	}
	c.extendWrite(wait)
	_, err := c.Write(p[from:to])
	return err
}

func (s *requestStream) fail(c *conn, err error) error {
	s.failure = err
	c.abort()
	return err
}

//go:build unix

package proxy

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/swindon-go/swindon/internal/sock"
)

// swapper sends a small request and waits for the first bytes of its response inside one call of the runtime's poller:
// look whether the connection is still good, write, wait, read. That is one system call less than by Write and Read,
// which tries to read before anything can be there, and spares the deadline for writing.
type swapper struct {
	c        *conn
	req      []byte
	n        int // bytes of req written
	answered bool
	err      error
	turn     *turn // is told before the waiting
	step     func(fd uintptr) bool
}

// swap writes req without waiting and then waits for an answer, between half of wait and wait: moving the deadline every
// time would cost more than it is worth. n is how much was written. answered: bytes
// have been read and are unread in the buffer. Without an error it may be that neither is complete: the caller goes on
// by ordinary means. errStale: nothing was written since the connection is closed, or not silent.
func (c *conn) swap(req []byte, wait time.Duration, t *turn) (n int, answered bool, err error) {
	if c.raw == nil {
		return 0, false, nil
	}
	s := &c.swapper
	if s.step == nil {
		s.c, s.step = c, s.do
	}
	s.req, s.n, s.answered, s.err, s.turn = req, 0, false, nil, t
	if c.buf == nil {
		c.buf, c.r, c.w = newBuffer(), 0, 0
	}
	if now := time.Now(); c.quickUntil.Sub(now) < wait/2 {
		c.quickUntil = now.Add(wait)
		_ = c.SetReadDeadline(c.quickUntil)
	}
	err = c.raw.Read(s.step)
	s.req, s.turn = nil, nil
	switch {
	case err == nil:
		err = s.err
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.aborted.Load():
		// Also when nothing was written: a busy machine may let the wait pass before the first try.
		err = nil
	}
	return s.n, s.answered, err
}

// do is called when there is something to do; false waits until the socket is readable. Nothing the backend sends can
// be missed between writing and waiting: the poller was made ready before the first call.
func (s *swapper) do(fd uintptr) bool {
	if s.n == 0 {
		over := s.write(int(fd))
		if !over {
			s.turn.waits()
		}
		return over
	}
	return s.read(int(fd))
}

// write writes the request; true when there is nothing to wait for.
func (s *swapper) write(fd int) bool {
	if s.c.reused && !sock.Silent(fd) {
		s.err = errStale
		return true
	}
	n, err := sock.Write(fd, s.req)
	s.n = n
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		s.err = os.NewSyscallError("write", err)
		return true
	}
	return s.n < len(s.req)
}

// read reads the first bytes of the response; true when there are any, or none can come.
func (s *swapper) read(fd int) bool {
	n, err := sock.Read(fd, s.c.buf.p)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err != nil:
		s.err = os.NewSyscallError("read", err)
	case n == 0:
		s.err = io.EOF
	default:
		s.c.w = n
		s.answered = true
	}
	return true
}

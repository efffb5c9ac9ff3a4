//go:build unix

package sock

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Conn reads and writes a connection's socket quietly, under its deadlines. Its methods may be called concurrently. A nil
// Conn must not be used.
type Conn struct {
	nc      net.Conn
	raw     syscall.RawConn
	in, out half
}

// half is one direction.
type half struct {
	mu   sync.Mutex // held for a Read or a write; guards the following
	p, q []byte     // what is left to be read into, or to be written; q comes behind p
	n    int        // bytes of the last call
	err  error      // of the last call
	call func(fd uintptr) (over bool)
}

// Of returns what reads and writes nc's socket; nil when there is none.
func Of(nc net.Conn) *Conn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	c := &Conn{nc: nc, raw: raw}
	c.in.call = func(fd uintptr) bool { return c.in.done(Read(int(fd), c.in.p)) }
	c.out.call = func(fd uintptr) bool { return c.out.done(c.out.write(int(fd))) }
	return c
}

// done notes what came of a call; false: it is to be made again when the socket is ready.
func (h *half) done(n int, err error) bool {
	if errors.Is(err, syscall.EAGAIN) {
		return false
	}
	h.n, h.err = n, err
	return true
}

func (h *half) write(fd int) (int, error) {
	switch {
	case len(h.q) == 0:
		return Write(fd, h.p)
	case len(h.p) == 0:
		return Write(fd, h.q)
	}
	return WriteBoth(fd, h.p, h.q)
}

// skip takes what was written off what is left.
func (h *half) skip(n int) {
	k := min(n, len(h.p))
	h.p, h.q = h.p[k:], h.q[n-k:]
}

// Read is that of net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	h.p, h.n, h.err = p, 0, nil
	err := c.raw.Read(h.call)
	h.p = nil
	switch {
	case err != nil:
		return 0, named("read", err)
	case h.err != nil:
		return 0, c.failed("read", h.err)
	case h.n == 0:
		return 0, io.EOF
	}
	return h.n, nil
}

// Write is that of net.Conn.
func (c *Conn) Write(p []byte) (written int, err error) { return c.WriteBoth(p, nil) }

// WriteBoth writes two pieces, both of which may be empty, as one where that can be. It returns the bytes of both.
func (c *Conn) WriteBoth(p, q []byte) (written int, err error) {
	h := &c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.p, h.q = p, q; len(h.p)+len(h.q) > 0; {
		h.n, h.err = 0, nil
		switch err = c.raw.Write(h.call); {
		case err != nil:
			err = named("write", err)
		case h.err != nil:
			err = c.failed("write", h.err)
		case h.n == 0:
			err = c.failed("write", io.ErrUnexpectedEOF)
		}
		if err != nil {
			break
		}
		written += h.n
		h.skip(h.n)
	}
	h.p, h.q = nil, nil
	return written, err
}

// named makes an error of the raw connection that of the call: net/http looks at the name.
func named(call string, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Op = call
	}
	return err
}

// failed is what package net makes of an error of a call.
func (c *Conn) failed(call string, err error) error {
	local := c.nc.LocalAddr()
	return &net.OpError{Op: call, Net: local.Network(), Source: local, Addr: c.nc.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}

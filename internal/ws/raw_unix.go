//go:build linux || darwin

package ws

import (
	"errors"
	"net"
	"syscall"

	"github.com/swindon-go/swindon/internal/sock"
)

// rawConn returns the socket below a connection, nil when there is none.
func rawConn(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// readable reads once from the socket. It returns false when nothing is there: the caller then waits, without a buffer.
func (c *Conn) readable(fd uintptr) bool {
	b := c.group.getReadBuffer()
	n, err := sock.Read(int(fd), b[:])
	if errors.Is(err, syscall.EAGAIN) {
		c.group.putReadBuffer(b)
		return false
	}
	c.in = input{b, n, err}
	return true
}

// writeOnce writes once to the socket. It does not wait: what is not taken is for drain.
func (f *flusher) writeOnce(fd uintptr) bool {
	n, err := f.chunk.writeTo(int(fd))
	switch {
	case err == nil:
		f.n = n
	case !errors.Is(err, syscall.EAGAIN):
		f.err = err
	}
	return true
}

// writeTo is one system call.
func (k *chunk) writeTo(fd int) (int, error) {
	switch {
	case len(k.big) == 0:
		return sock.Write(fd, k.small)
	case len(k.small) == 0:
		return sock.Write(fd, k.big)
	}
	return sock.WriteBoth(fd, k.small, k.big)
}

//go:build linux || darwin

package ws

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
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
	n, err := syscall.Read(int(fd), b[:])
	for err == syscall.EINTR { //nolint:errorlint // System calls return bare numbers.
		n, err = syscall.Read(int(fd), b[:])
	}
	if err == syscall.EAGAIN { //nolint:errorlint // As above.
		c.group.putReadBuffer(b)
		return false
	}
	c.in = input{b, n, err}
	return true
}

// writeOnce writes once to the socket. It does not wait: what is not taken is for drain.
func (f *flusher) writeOnce(fd uintptr) bool {
	n, err := f.chunk.writeTo(int(fd))
	for err == syscall.EINTR { //nolint:errorlint // As above.
		n, err = f.chunk.writeTo(int(fd))
	}
	switch err { //nolint:errorlint // As above.
	case nil:
		f.n = n
	case syscall.EAGAIN:
	default:
		f.err = err
	}
	return true
}

// writeTo is one system call.
func (k *chunk) writeTo(fd int) (int, error) {
	switch {
	case len(k.big) == 0:
		return syscall.Write(fd, k.small)
	case len(k.small) == 0:
		return syscall.Write(fd, k.big)
	}
	return unix.Writev(fd, [][]byte{k.small, k.big})
}

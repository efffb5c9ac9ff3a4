//go:build unix

package ws

import (
	"errors"
	"net"
	"syscall"
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
	n, err := retry(func() (int, error) { return syscall.Read(int(fd), b[:]) })
	if errors.Is(err, syscall.EAGAIN) {
		c.group.putReadBuffer(b)
		return false
	}
	c.in = input{b, n, err}
	return true
}

// writeOnce writes once to the socket. It does not wait: what is not taken is for drain.
func (f *flusher) writeOnce(fd uintptr) bool {
	n, err := retry(func() (int, error) { return syscall.Write(int(fd), f.data) })
	if err == nil {
		f.n = n
	} else if !errors.Is(err, syscall.EAGAIN) {
		f.err = err
	}
	return true
}

// retry repeats an interrupted system call.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR { //nolint:errorlint // System calls return bare numbers.
			return n, err
		}
	}
}

package listen

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// longAgo is a deadline that wakes up whoever waits.
var longAgo = time.Unix(1, 0)

// Watch calls left, once and on a goroutine of its own, when the client closes its side of the connection or the
// connection fails, before Unwatch is called. Nothing is read: bytes of a further request end the watch, as nobody can
// see past them. It must not be called while anything reads from the connection, nor twice without Unwatch between.
func (c *Conn) Watch(left func()) {
	c.own.socket = time.Time{}
	_ = c.TCPConn.SetReadDeadline(time.Time{})
	done := make(chan struct{})
	c.own.watched = done
	go func() {
		defer close(done)
		if c.awaitLeaving() {
			left()
		}
	}()
}

// awaitLeaving returns true when the client has left, false when that cannot be told any more.
func (c *Conn) awaitLeaving() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Read(func(fd uintptr) bool {
		for {
			var b [1]byte
			n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				return false
			}
			gone = err != nil || n == 0
			return true
		}
	})
	return gone || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Unwatch ends a Watch. Its function is not called after this has returned.
func (c *Conn) Unwatch() {
	_ = c.TCPConn.SetReadDeadline(longAgo)
	<-c.own.watched
	c.own.watched = nil
	_ = c.TCPConn.SetReadDeadline(time.Time{})
}

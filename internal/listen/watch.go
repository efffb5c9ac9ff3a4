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
// connection fails, before Unwatch is called. Nothing is read. Behind bytes of a further request only the failure
// is seen: a client that ends its side there may well wait for its answers. It must not be called while anything reads from the connection, nor twice without Unwatch between.
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
			p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			_, err := unix.Poll(p[:], 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			events := p[0].Revents
			gone = err != nil || events&^unix.POLLRDHUP != 0 || events != 0 && !unread(fd)
			return gone // if not, the next event on the socket asks again
		}
	})
	return gone || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// unread tells whether a socket holds bytes that nobody has read.
func unread(fd uintptr) bool {
	for {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// Unwatch ends a Watch. Its function is not called after this has returned.
func (c *Conn) Unwatch() {
	_ = c.TCPConn.SetReadDeadline(longAgo)
	<-c.own.watched
	c.own.watched = nil
	_ = c.TCPConn.SetReadDeadline(time.Time{})
}

package listen

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// acceptor is the part of *net.TCPListener that a listener needs; tests put failures in between.
type acceptor interface {
	AcceptTCP() (*net.TCPConn, error)
	Close() error
	Addr() net.Addr
}

// listener is one bound socket of a group.
type listener struct {
	acceptor
	group *Group
	done  chan struct{} // closed by Close
	gone  atomic.Bool
}

func newListener(a acceptor, g *Group) *listener {
	return &listener{acceptor: a, group: g, done: make(chan struct{})}
}

// Accept waits for the next connection and for its place under the group's limit. Failures to accept are logged and
// end in a pause; it returns net.ErrClosed once the listener is closed, and no other error.
func (l *listener) Accept() (net.Conn, error) {
	for {
		tc, err := l.AcceptTCP()
		switch {
		case l.gone.Load() || errors.Is(err, net.ErrClosed):
			if err == nil {
				_ = tc.Close()
			}
			return nil, net.ErrClosed
		case err != nil:
			l.group.acceptFailed(l.Addr(), err)
			select {
			case <-time.After(l.group.errorPause()):
			case <-l.done:
			}
			continue
		}
		// At the limit the connection stays here, unread, and later ones stay in the kernel's backlog.
		if !l.group.limit.acquire(l.gone.Load) {
			_ = tc.Close()
			return nil, net.ErrClosed
		}
		return newConn(tc, l.group), nil
	}
}

// Close stops accepting; connections live on.
func (l *listener) Close() error {
	if l.gone.Swap(true) {
		return nil
	}
	close(l.done)
	l.group.limit.wake()
	return l.acceptor.Close()
}

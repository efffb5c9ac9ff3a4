package memnet

import (
	"context"
	"net"
	"sync"
)

// loopback is the address of both ends; only the ports differ.
var loopback = net.IPv4(127, 0, 0, 1)

// backlog is how many dialled connections wait for Accept.
const backlog = 128

// Listener is a net.Listener that Dial reaches. Make it with Listen.
type Listener struct {
	addr    Addr
	limit   int
	dialled chan *Conn
	done    chan struct{}
	close   sync.Once

	mu   sync.Mutex // protects port
	port int        // of the next dialled connection
}

// Listen returns a listener whose connections hold limit bytes per direction (DefaultBuffer for 0). Up to backlog dialled
// connections wait for Accept.
func Listen(limit int) *Listener {
	return &Listener{
		addr:    Addr{net.TCPAddr{IP: loopback, Port: 80}},
		limit:   limit,
		dialled: make(chan *Conn, backlog),
		done:    make(chan struct{}),
		port:    40000,
	}
}

// Accept waits for a dialled connection; net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.dialled:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close stops accepting; connections that nobody accepted are closed.
func (l *Listener) Close() error {
	l.close.Do(func() {
		close(l.done)
		l.drop()
	})
	return nil
}

// drop closes the connections that nobody will accept any more, once the listener is closed.
func (l *Listener) drop() {
	for {
		select {
		case <-l.done:
		default:
			return
		}
		select {
		case c := <-l.dialled:
			_ = c.Close()
		default:
			return
		}
	}
}

// Addr returns the listener's address.
func (l *Listener) Addr() net.Addr { return &l.addr.TCPAddr }

// Dial connects to the listener. It returns when the connection stands in the backlog, as TCP does.
func (l *Listener) Dial(ctx context.Context) (*Conn, error) {
	l.mu.Lock()
	l.port++
	port := l.port
	l.mu.Unlock()
	client, server := pipe(l.limit, Addr{net.TCPAddr{IP: loopback, Port: port}}, l.addr)
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case l.dialled <- server:
		l.drop() // if Close came in between
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// DialContext has the form of net.Dialer.DialContext and http.Transport.DialContext; network and address are ignored.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return l.Dial(ctx)
}

var _ net.Listener = (*Listener)(nil)

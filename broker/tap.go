package broker

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// tap lets intakes work on the goroutine that reads from NATS. The client library has one per connection, which takes in
// all that it has read before it reads again: so a read is the moment to look at what has been put down.
//
// The library also reads while it connects, holding its own lock. Hence what runs here must not call the library.
type tap struct {
	mu      sync.Mutex // held while intakes changes
	intakes atomic.Pointer[[]*intake]
}

func (t *tap) add(in *intake) { t.change(func(list []*intake) []*intake { return append(list, in) }) }

func (t *tap) remove(in *intake) {
	t.change(func(list []*intake) []*intake {
		return slices.DeleteFunc(list, func(each *intake) bool { return each == in })
	})
}

func (t *tap) change(f func([]*intake) []*intake) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*intake
	if old := t.intakes.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = f(list)
	t.intakes.Store(&list)
}

// poll handles what has been put down.
func (t *tap) poll() {
	if list := t.intakes.Load(); list != nil {
		for _, in := range *list {
			in.poll()
		}
	}
}

// option makes a connection's reader poll; it comes after all options that say how to connect.
func (t *tap) option(o *nats.Options) error {
	if o.InProcessServer != nil {
		o.InProcessServer = tappedServer{o.InProcessServer, t}
		return nil
	}
	o.CustomDialer = tappedDialer{net.Dialer{Timeout: o.Timeout}, t}
	return nil
}

// tappedDialer is nats.CustomDialer.
type tappedDialer struct {
	net.Dialer
	tap *tap
}

// Dial is net.Dialer's.
func (d tappedDialer) Dial(network, address string) (net.Conn, error) {
	return d.tap.conn(d.Dialer.Dial(network, address))
}

// tappedServer is nats.InProcessConnProvider.
type tappedServer struct {
	server nats.InProcessConnProvider
	tap    *tap
}

// InProcessConn connects without a socket.
func (s tappedServer) InProcessConn() (net.Conn, error) { return s.tap.conn(s.server.InProcessConn()) }

func (t *tap) conn(nc net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return tappedConn{nc, t}, nil
}

type tappedConn struct {
	net.Conn
	tap *tap
}

// Read polls before it reads.
func (c tappedConn) Read(p []byte) (int, error) {
	c.tap.poll()
	return c.Conn.Read(p)
}

package broker

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/sock"
)

// poller takes what the client library has put down for it.
type poller interface{ poll() }

// tap lets pollers work on the goroutine that reads from NATS. The client library has one per connection, which takes in
// all that it has read before it reads again: so a read is the moment to look at what has been put down.
//
// The library also reads while it connects, holding its own lock. Hence what runs here must not call the library.
type tap struct {
	sifts   bool       // its connections have a sieve
	mu      sync.Mutex // held while pollers changes
	pollers atomic.Pointer[[]poller]
}

func (t *tap) add(p poller) { t.change(func(list []poller) []poller { return append(list, p) }) }

func (t *tap) remove(p poller) {
	t.change(func(list []poller) []poller {
		return slices.DeleteFunc(list, func(each poller) bool { return each == p })
	})
}

func (t *tap) change(f func([]poller) []poller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []poller
	if old := t.pollers.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = f(list)
	t.pollers.Store(&list)
}

// poll handles what has been put down.
func (t *tap) poll() {
	if list := t.pollers.Load(); list != nil {
		for _, each := range *list {
			each.poll()
		}
	}
}

// intakeOf returns the intake whose quick function may be asked about a message; nil: none.
func (t *tap) intakeOf(subject []byte) *intake {
	list := t.pollers.Load()
	if list == nil {
		return nil
	}
	for _, each := range *list {
		if in, ok := each.(*intake); ok && in.hears(subject) {
			return in
		}
	}
	return nil
}

// wrap makes a connection poll before each read and, where intakes have quick functions, sift what it reads.
func (t *tap) wrap(nc net.Conn) net.Conn {
	c := tappedConn{Conn: nc, tap: t}
	if t.sifts {
		c.sieve = &sieve{tap: t}
	}
	return c
}

// option makes a connection's reader poll; it comes after all options that say how to connect.
func (t *tap) option(o *nats.Options) error {
	if o.InProcessServer != nil {
		o.InProcessServer = tappedServer{o.InProcessServer, t}
		return nil
	}
	// The dialer is given names, so that it can divide the time among the addresses of one.
	o.SkipHostLookup = true
	o.CustomDialer = tappedDialer{o.Timeout, !o.NoRandomize, t}
	return nil
}

// tappedDialer is nats.CustomDialer. It does what the library does without one.
type tappedDialer struct {
	timeout time.Duration // for all addresses of a name together
	shuffle bool
	tap     *tap
}

// Dial connects to one of the addresses of a host.
func (d tappedDialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		hosts = []string{host} // the dialer may know better, or says what is wrong
	}
	if d.shuffle {
		rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	}
	var nc net.Conn
	for _, each := range hosts {
		dialer := net.Dialer{Timeout: d.timeout / time.Duration(len(hosts))}
		if nc, err = dialer.DialContext(ctx, network, net.JoinHostPort(each, port)); err == nil {
			return d.tap.wrap(sock.Quiet(nc)), nil
		}
	}
	return nil, err
}

// tappedServer is nats.InProcessConnProvider.
type tappedServer struct {
	server nats.InProcessConnProvider
	tap    *tap
}

// InProcessConn connects without a socket.
func (s tappedServer) InProcessConn() (net.Conn, error) {
	nc, err := s.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	return s.tap.wrap(nc), nil
}

type tappedConn struct {
	net.Conn
	tap   *tap
	sieve *sieve // nil: nothing is sifted
}

// Read polls before it reads.
func (c tappedConn) Read(p []byte) (int, error) {
	c.tap.poll()
	if c.sieve != nil {
		return c.sieve.read(c.Conn.Read, p)
	}
	return c.Conn.Read(p)
}

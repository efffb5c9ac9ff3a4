package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// Dialer opens a connection to a backend; (*net.Dialer).DialContext is one. What it returns should be the bare socket:
// then idle connections can be looked at without blocking, and bytes move inside the kernel.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Resolver finds the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Deps is what a destination needs from outside. Every field may be zero but UserAgent.
type Deps struct {
	// Dial opens connections; nil: a net.Dialer.
	Dial Dialer
	// Resolver resolves host names; nil: net.DefaultResolver.
	Resolver Resolver
	// Log gets connection failures and addresses that make no sense; nil: nothing is logged.
	Log *slog.Logger
	// Metrics gathers the destinations' counters; nil: they are only in Stats.
	Metrics *Metrics
	// UserAgent is sent with Calls: "swindon/1.0.0".
	UserAgent string
	// IntN draws from [0, n); nil: math/rand/v2.
	IntN func(n int) int
}

// Limits of opening connections.
const (
	// connectTimeout bounds one attempt to connect. A backend that does not answer it is treated like one that refuses.
	connectTimeout = 5 * time.Second
	// A backend that refused is left alone for a random time in between.
	minAside = 50 * time.Millisecond
	maxAside = 150 * time.Millisecond
)

// Destination is a named set of backends with one queue. All methods may be called concurrently.
type Destination struct {
	name    string
	log     *slog.Logger
	dial    Dialer
	resolve Resolver
	intn    func(n int) int
	metrics *Metrics
	agent   string
	set     atomic.Pointer[settings]
	stats   counters

	// life ends with Close; it stops the resolver and attempts to connect.
	life     context.Context
	end      context.CancelFunc
	resolver sync.WaitGroup
	changed  chan struct{} // tells the resolver about new addresses

	mu sync.Mutex // Protects following.
	// backends in the order of the configuration. Retired ones are not among them.
	backends []*backend
	idle     list
	busy     list
	// plain and tunnel are the requests that wait, by what they wait for.
	plain, tunnel queue
	seq           uint64
	// open counts connections: idle, busy and being opened, those of retired backends too.
	open    int
	tunnels map[*tunnel]struct{}
	closed  bool
	// empty is closed when the destination is closed and nothing is open any more; emptied says that this was done.
	empty   chan struct{}
	emptied bool
	// wake fires when a backend that was set aside may be tried again; sweep when an idle connection gets too old.
	wake, sweep *time.Timer
	sweeping    bool
	// late fires when the queue time of a call that is told later may be over; told lists those that were served and are
	// to be told when the lock is given up.
	late           *time.Timer
	sweepingLate   bool
	told, lastTold *waiter
}

// NewDestination returns a destination that is ready for requests: those that come before its names are resolved wait.
// It must be closed.
func NewDestination(name string, cfg DestinationConfig, deps Deps) *Destination {
	d := &Destination{
		name: name, dial: deps.Dial, resolve: deps.Resolver, intn: deps.IntN, metrics: deps.Metrics,
		agent: deps.UserAgent, log: deps.Log,
		changed: make(chan struct{}, 1), tunnels: map[*tunnel]struct{}{}, empty: make(chan struct{}),
	}
	if d.dial == nil {
		d.dial = new(net.Dialer).DialContext
	}
	if d.resolve == nil {
		d.resolve = net.DefaultResolver
	}
	if d.intn == nil {
		d.intn = rand.IntN
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.log = d.log.With("destination", name)
	d.life, d.end = context.WithCancel(context.Background())
	d.wake = time.AfterFunc(time.Hour, d.onWake)
	d.wake.Stop()
	d.sweep = time.AfterFunc(time.Hour, d.onSweep)
	d.sweep.Stop()
	d.late = time.AfterFunc(time.Hour, d.onLate)
	d.late.Stop()
	d.set.Store(newSettings(cfg, d.log))
	d.setBackends(collect(d.set.Load(), nil)) // addresses that are no names need no resolving
	d.resolver.Go(d.keepResolved)
	d.metrics.add(d)
	return d
}

// Name is the name in the configuration.
func (d *Destination) Name() string { return d.name }

// Apply takes over a changed configuration. Requests that wait go on waiting, connections to addresses that stay are
// kept, and those to addresses that are gone end with the request that they carry.
func (d *Destination) Apply(cfg DestinationConfig) {
	d.set.Store(newSettings(cfg, d.log))
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Close ends the destination. Requests that wait fail with port.ErrGone and tunnels are cut at once; requests in
// progress may finish until ctx ends, then their connections are cut. When it returns nothing is open.
func (d *Destination) Close(ctx context.Context) {
	d.end()
	d.mu.Lock()
	already := d.closed
	d.closed = true
	for _, q := range []*queue{&d.plain, &d.tunnel} {
		for w := q.pop(); w != nil; w = q.pop() {
			d.grant(w, grant{err: d.gone()})
		}
	}
	idle := d.takeIdle(func(*conn) bool { return true })
	for t := range d.tunnels {
		t.cut()
	}
	d.checkEmpty()
	d.unlock()
	closeAll(idle)
	d.wake.Stop()
	d.sweep.Stop()
	d.late.Stop()
	d.resolver.Wait()

	select {
	case <-d.empty:
	case <-ctx.Done():
		d.mu.Lock()
		for c := d.busy.first; c != nil; c = c.next {
			c.abort()
		}
		d.unlock()
		<-d.empty
	}
	for _, t := range d.openTunnels() {
		<-t.done
	}
	if !already {
		d.metrics.remove(d)
	}
}

// checkEmpty tells Close when there is nothing left to wait for.
func (d *Destination) checkEmpty() {
	if d.closed && d.open == 0 && !d.emptied {
		d.emptied = true
		close(d.empty)
	}
}

func (d *Destination) openTunnels() []*tunnel {
	d.mu.Lock()
	defer d.unlock()
	ts := make([]*tunnel, 0, len(d.tunnels))
	for t := range d.tunnels {
		ts = append(ts, t)
	}
	return ts
}

func (d *Destination) gone() error {
	return fmt.Errorf("destination %s is closed: %w", d.name, port.ErrGone)
}

// onWake lets requests that wait try a backend that was set aside.
func (d *Destination) onWake() {
	d.mu.Lock()
	defer d.unlock()
	if d.closed {
		return
	}
	d.dispatch()
	d.armWake()
}

// armWake sets the timer to when the first backend comes back. Only requests that wait need it.
func (d *Destination) armWake() {
	if d.plain.len+d.tunnel.len == 0 {
		return
	}
	var first time.Time
	now := time.Now()
	for _, b := range d.backends {
		if b.suspect && b.aside.After(now) && (first.IsZero() || b.aside.Before(first)) {
			first = b.aside
		}
	}
	if !first.IsZero() {
		d.wake.Reset(first.Sub(now))
	}
}

// onSweep closes connections that have been idle too long.
func (d *Destination) onSweep() {
	now := time.Now()
	d.mu.Lock()
	old := d.takeIdle(func(c *conn) bool { return !c.idleUntil.After(now) })
	d.sweeping = d.idle.first != nil && !d.closed
	if d.sweeping {
		d.sweep.Reset(max(d.idle.first.idleUntil.Sub(now), time.Millisecond))
	}
	d.unlock()
	closeAll(old)
}

// takeIdle removes the idle connections for which drop is true; the caller closes them without holding the lock.
func (d *Destination) takeIdle(drop func(*conn) bool) []*conn {
	var out []*conn
	for c := d.idle.first; c != nil; {
		next := c.next
		if drop(c) {
			d.idle.remove(c)
			c.backend.idle--
			d.forget(c)
			out = append(out, c)
		}
		c = next
	}
	return out
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

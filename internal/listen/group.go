package listen

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// UserTimeout is how long sent bytes may stay unacknowledged before the kernel gives a connection up (decision D9).
const UserTimeout = 30 * time.Second

// Config is what a group listens on and how.
type Config struct {
	// Addresses in the forms of ParseAddress. Those that are none are logged and left out.
	Addresses []string
	// MaxConnections bounds the open connections of all addresses together. Default: 1000.
	MaxConnections int
	// ErrorPause is the pause after a failed accept. Default: 100 ms.
	ErrorPause time.Duration
	Timeouts   Timeouts
}

// Resolver turns names into addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Deps are what a group works with.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics
	// Resolver is net.DefaultResolver when nil.
	Resolver Resolver
	// Listening, if set, is told the list of addresses whenever it has changed, before the new ones are bound.
	Listening func([]netip.AddrPort)
	// Every is how often names are resolved and failed addresses tried again. Default: 1 s.
	Every time.Duration
}

// Group is the sockets of one `listen` list. All methods may be called concurrently.
type Group struct {
	name     string
	d        Deps
	limit    *limit
	timeouts atomic.Pointer[Timeouts]
	pause    atomic.Int64
	ctx      context.Context // ended by Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup // accept loops and the loop that follows names

	updating sync.Mutex // serialises update; guards following
	names    []Address
	resolved map[string][]netip.Addr // last good answer per name
	announce []netip.AddrPort        // what Listening was told
	failing  map[netip.AddrPort]bool // logged already

	mu     sync.Mutex // guards following
	bound  map[netip.AddrPort]*listener
	serve  func(net.Listener) error
	closed bool
}

// New returns a group that holds no sockets yet. The name stands in logs and metrics.
func New(name string, cfg Config, d Deps) *Group {
	if d.Resolver == nil {
		d.Resolver = net.DefaultResolver
	}
	if d.Every <= 0 {
		d.Every = time.Second
	}
	g := &Group{
		name: name, d: d,
		limit:    newLimit(0, d.Log, d.Metrics.reached.WithLabelValues(name), d.Metrics.open.WithLabelValues(name)),
		resolved: make(map[string][]netip.Addr),
		failing:  make(map[netip.AddrPort]bool),
		bound:    make(map[netip.AddrPort]*listener),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.configure(cfg)
	return g
}

func (g *Group) configure(cfg Config) {
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 1000
	}
	if cfg.ErrorPause <= 0 {
		cfg.ErrorPause = 100 * time.Millisecond
	}
	g.limit.set(cfg.MaxConnections)
	g.timeouts.Store(&cfg.Timeouts)
	g.pause.Store(int64(cfg.ErrorPause))
	g.names = g.names[:0:0]
	for _, text := range cfg.Addresses {
		a, err := ParseAddress(text)
		if err != nil {
			g.d.Log.Warn("Error parsing name", "listener", g.name, "address", text, "err", err)
			continue
		}
		g.names = append(g.names, a)
	}
}

// Bind resolves the names and binds every address. An address that cannot be bound is an error, and then none stays
// bound; a name that does not resolve yet is logged and tried again later.
func (g *Group) Bind(ctx context.Context) error {
	if err := g.update(ctx, true); err != nil {
		g.Close()
		return err
	}
	return nil
}

// Serve calls serve, on a goroutine of its own, for each socket that is or will be bound, and follows the names from
// now on. The function must return when its listener is closed; http.Server.Serve does. Call it once.
func (g *Group) Serve(serve func(net.Listener) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.serve = serve
	for _, l := range g.bound {
		g.start(l)
	}
	g.wg.Go(g.follow)
}

// Apply takes a changed configuration: sockets of vanished addresses are closed, their connections live on, new ones
// are bound, the others are kept. What cannot be bound is logged and tried again.
func (g *Group) Apply(ctx context.Context, cfg Config) {
	g.updating.Lock()
	g.configure(cfg)
	g.updating.Unlock()
	_ = g.update(ctx, false)
}

// Close stops listening and returns when no accept is under way any more. Connections live on.
func (g *Group) Close() {
	g.cancel()
	g.mu.Lock()
	g.closed = true
	for ap, l := range g.bound {
		_ = l.Close()
		delete(g.bound, ap)
	}
	g.mu.Unlock()
	g.wg.Wait()
}

// Forget removes the group's metrics; for a group that never comes back.
func (g *Group) Forget() { g.d.Metrics.forget(g.name) }

// Addrs are the addresses that are bound, in order.
func (g *Group) Addrs() []netip.AddrPort {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []netip.AddrPort
	for _, l := range g.bound {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			out = append(out, a.AddrPort())
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// Open is the number of open connections.
func (g *Group) Open() int { return g.limit.count() }

func (g *Group) errorPause() time.Duration { return time.Duration(g.pause.Load()) }

func (g *Group) acceptFailed(addr net.Addr, err error) {
	g.d.Metrics.errors.WithLabelValues(g.name).Inc()
	g.d.Log.Warn("Error accepting", "listener", g.name, "address", addr.String(), "err", err)
}

// follow keeps the sockets in step with the names until the group is closed.
func (g *Group) follow() {
	t := time.NewTicker(g.d.Every)
	defer t.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-t.C:
			_ = g.update(g.ctx, false)
		}
	}
}

// start runs the accept loop of a socket; g.mu is held.
func (g *Group) start(l *listener) {
	g.wg.Go(func() { _ = g.serve(l) })
}

// bind binds one address. With only, a wildcard address of IPv6 leaves IPv4 to another socket.
func bind(ctx context.Context, ap netip.AddrPort, only bool) (*net.TCPListener, error) {
	network := "tcp"
	switch {
	case ap.Addr().Is4():
		network = "tcp4" // "tcp" would take the IPv6 wildcard for 0.0.0.0
	case only:
		network = "tcp6"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		// Accepted sockets inherit it, which saves a system call for each.
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(UserTimeout/time.Millisecond))
		}); e != nil {
			return e
		}
		return err
	}}
	ln, err := lc.Listen(ctx, network, ap.String())
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s: %w", ap, err)
	}
	return ln.(*net.TCPListener), nil
}

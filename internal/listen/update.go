package listen

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// resolveTimeout bounds one look-up of a name.
const resolveTimeout = 5 * time.Second

// update brings the sockets in step with the configuration and the names. With strict, the first address that cannot be
// bound is returned; else failures are logged: the first at ERROR, the repetitions at DEBUG.
func (g *Group) update(ctx context.Context, strict bool) error {
	g.updating.Lock()
	defer g.updating.Unlock()
	want := g.resolve(ctx)
	if !slices.Equal(want, g.announce) {
		g.announce = want
		if g.d.Listening != nil {
			g.d.Listening(want)
		}
	}
	missing := g.drop(want)
	for _, ap := range missing {
		err := g.add(ctx, ap, want)
		switch {
		case err == nil:
			delete(g.failing, ap)
			g.d.Log.Info("Listening", "listener", g.name, "address", ap.String())
		case strict && !g.absent(ap, err):
			return err
		case g.ctx.Err() != nil:
			return nil
		default:
			level := slog.LevelError
			if g.failing[ap] {
				level = slog.LevelDebug
			}
			g.failing[ap] = true
			g.d.Log.Log(ctx, level, "Error listening, will try again", "listener", g.name, "address", ap.String(), "err", err)
		}
	}
	return nil
}

// absent tells whether an address is just one that a name has and this machine has not, such as ::1 of localhost where
// IPv6 is off: that must not keep a node from starting.
func (g *Group) absent(ap netip.AddrPort, err error) bool {
	literal := slices.ContainsFunc(g.names, func(a Address) bool { return a.IP == ap.Addr() && a.Port == ap.Port() })
	return !literal && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT))
}

// drop closes the sockets that are no longer wanted and returns the addresses that are not bound yet.
func (g *Group) drop(want []netip.AddrPort) (missing []netip.AddrPort) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for ap, l := range g.bound {
		if !slices.Contains(want, ap) {
			_ = l.Close()
			delete(g.bound, ap)
		}
	}
	for ap := range g.failing {
		if !slices.Contains(want, ap) {
			delete(g.failing, ap)
		}
	}
	for _, ap := range want {
		if g.bound[ap] == nil {
			missing = append(missing, ap)
		}
	}
	return missing
}

// add binds one address and starts to accept on it.
func (g *Group) add(ctx context.Context, ap netip.AddrPort, want []netip.AddrPort) error {
	v4 := netip.AddrPortFrom(netip.IPv4Unspecified(), ap.Port())
	tcp, err := bind(ctx, ap, ap.Addr() == netip.IPv6Unspecified() && slices.Contains(want, v4))
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.Join(g.ctx.Err(), tcp.Close())
	}
	l := newListener(tcp, g)
	g.bound[ap] = l
	if g.serve != nil {
		g.start(l)
	}
	return nil
}

// resolve returns all addresses, each once, in the order of the configuration. A name that fails keeps the addresses of
// its last good answer: a hiccup of DNS closes nothing.
func (g *Group) resolve(ctx context.Context) []netip.AddrPort {
	var out []netip.AddrPort
	add := func(ip netip.Addr, port uint16) {
		if ap := netip.AddrPortFrom(ip, port); !slices.Contains(out, ap) {
			out = append(out, ap)
		}
	}
	for _, a := range g.names {
		switch {
		case a.Service:
		case a.IP.IsValid():
			add(a.IP, a.Port)
		default:
			for _, ip := range g.lookup(ctx, a.Name) {
				add(ip, a.Port)
			}
		}
	}
	return out
}

func (g *Group) lookup(ctx context.Context, name string) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := g.d.Resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if g.ctx.Err() == nil {
			g.d.Log.Log(ctx, g.lookupLevel(name), "Error resolving name, will try again", "listener", g.name, "name", name, "err", err)
		}
		return g.resolved[name]
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	g.resolved[name] = ips
	return ips
}

// lookupLevel is WARN for the first failure of a name, DEBUG for those that follow.
func (g *Group) lookupLevel(name string) slog.Level {
	if _, known := g.resolved[name]; known {
		return slog.LevelDebug
	}
	g.resolved[name] = nil
	return slog.LevelWarn
}

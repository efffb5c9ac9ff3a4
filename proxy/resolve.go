package proxy

import (
	"context"
	"net/netip"
	"time"
)

// Pauses of the resolver (configuration §7).
const (
	resolveEvery   = time.Second
	resolveAgain   = 100 * time.Millisecond // after a failure
	resolveTimeout = 5 * time.Second
)

// keepResolved resolves the names of the destination again and again until it is closed. Without names it sleeps.
func (d *Destination) keepResolved() {
	known := map[string][]netip.Addr{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.life.Done():
			return
		case <-d.changed:
			timer.Stop()
		case <-timer.C:
		}
		set := d.set.Load()
		named, failed := d.lookUp(set, known)
		if d.life.Err() != nil {
			return
		}
		d.setBackends(collect(set, known))
		switch {
		case failed:
			timer.Reset(resolveAgain)
		case named:
			timer.Reset(resolveEvery)
		}
	}
}

// lookUp resolves the names into known. What a name had before a failure stays.
func (d *Destination) lookUp(set *settings, known map[string][]netip.Addr) (named, failed bool) {
	used := map[string]bool{}
	for _, a := range set.addresses {
		if a.name == "" || used[a.name] {
			continue
		}
		used[a.name], named = true, true
		ctx, cancel := context.WithTimeout(d.life, resolveTimeout)
		ips, err := d.resolve.LookupNetIP(ctx, "ip", a.name)
		cancel()
		if err != nil || len(ips) == 0 {
			failed = true
			d.log.Debug("Name cannot be resolved", "name", a.name, "err", err)
			continue
		}
		known[a.name] = ips
	}
	for name := range known {
		if !used[name] {
			delete(known, name)
		}
	}
	return named, failed
}

// target is one address and how it is called in the configuration.
type target struct {
	addr netip.AddrPort
	host string
}

// collect lists the addresses of all names and all fixed ones, each once.
func collect(set *settings, known map[string][]netip.Addr) []target {
	var out []target
	seen := map[netip.AddrPort]bool{}
	add := func(ap netip.AddrPort, host string) {
		if !seen[ap] {
			seen[ap] = true
			out = append(out, target{ap, host})
		}
	}
	for _, a := range set.addresses {
		if a.fixed.IsValid() {
			add(a.fixed, a.text)
		}
		for _, ip := range known[a.name] {
			add(netip.AddrPortFrom(ip.Unmap(), a.port), a.text)
		}
	}
	return out
}

// setBackends makes the addresses the destination's backends. Those that stay keep their connections; the others are
// retired: their idle connections are closed, their requests finish. Requests that wait get what is new.
func (d *Destination) setBackends(targets []target) {
	d.mu.Lock()
	if d.closed {
		d.unlock()
		return
	}
	old := map[netip.AddrPort]*backend{}
	for _, b := range d.backends {
		old[b.addr] = b
	}
	backends := make([]*backend, 0, len(targets))
	for _, t := range targets {
		b := old[t.addr]
		if b == nil {
			b = &backend{addr: t.addr, text: t.addr.String(), host: t.host}
		}
		delete(old, t.addr)
		backends = append(backends, b)
	}
	for _, b := range old {
		b.retired = true
	}
	d.backends = backends
	idle := d.takeIdle(func(c *conn) bool { return c.backend.retired })
	d.dispatch()
	d.unlock()
	closeAll(idle)
}

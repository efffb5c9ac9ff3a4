package proxy

import (
	"net/netip"
	"time"
)

// backend is one address of a destination. Guarded by Destination.mu, but for what never changes.
type backend struct {
	// Never changed.
	addr netip.AddrPort
	text string // addr as text, for dialling and for logs
	host string // as configured, for Host

	// conns counts connections: idle, in use, being opened. Those that became tunnels are not among them.
	conns int
	// idle is how many of them wait for a request.
	idle int
	// dialing is how many of them are being opened.
	dialing int
	// tunnels counts upgraded connections, and requests that may become one.
	tunnels int
	// suspect: the last attempt to connect failed. Until one succeeds there is only one at a time, not before aside.
	suspect bool
	aside   time.Time
	// retired: the name does not resolve to it any more. It gets no further request.
	retired bool
}

// mayOpen tells whether one more connection may be opened to the backend.
func (d *Destination) mayOpen(b *backend) bool {
	if b.conns >= d.set.Load().conns {
		return false
	}
	return !b.suspect || b.dialing == 0 && !time.Now().Before(b.aside)
}

// leastUsed picks the backend with the fewest connections to which one more may be opened, a random one among equals.
// It returns nil if there is none.
func (d *Destination) leastUsed() *backend {
	var best *backend
	equals := 0
	for _, b := range d.backends {
		if best != nil && b.conns > best.conns || !d.mayOpen(b) {
			continue
		}
		if best == nil || b.conns < best.conns {
			best, equals = b, 1
			continue
		}
		if equals++; d.intn(equals) == 0 {
			best = b
		}
	}
	return best
}

// leastTunnels picks the backend for an upgrade: the one with the fewest tunnels among those that can take one at once.
// full tells that none could take one even if it had a connection to spare.
func (d *Destination) leastTunnels() (best *backend, full bool) {
	limit := d.set.Load().tunnels
	full = len(d.backends) > 0
	equals := 0
	for _, b := range d.backends {
		if b.tunnels >= limit {
			continue
		}
		full = false
		if best != nil && b.tunnels > best.tunnels || b.idle == 0 && !d.mayOpen(b) {
			continue
		}
		if best == nil || b.tunnels < best.tunnels {
			best, equals = b, 1
			continue
		}
		if equals++; d.intn(equals) == 0 {
			best = b
		}
	}
	return best, full
}

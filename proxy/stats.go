package proxy

import (
	"sync/atomic"
	"time"
)

// counters are a destination's own. Safe for concurrent use.
type counters struct {
	requests, refused, queued, forwarded      atomic.Uint64
	attempted, aborted, errored, established  atomic.Uint64
	dropped, setAside, repeated, tunnelsTotal atomic.Uint64
	connecting, connected, tunnels            atomic.Int64
}

// Stats is what a destination has done (counters, which never shrink) and what it has now (levels). The names are
// those of configuration §9.3.
type Stats struct {
	// Requests were taken: served at once or put into the queue. BackpressureFailures were refused, the queue being full.
	Requests, BackpressureFailures uint64
	// RequestsQueued had to wait; RequestsForwarded were written to a backend.
	RequestsQueued, RequestsForwarded uint64
	// Attempts to connect: made, abandoned with their request, failed, succeeded.
	ConnectionAttempted, ConnectionAborted, ConnectionErrored, ConnectionEstablished uint64
	// ConnectionDropped counts established connections that were closed by either side.
	ConnectionDropped uint64
	// BlacklistAdded and BlacklistRemoved count how often a backend was set aside because it could not be reached, and
	// how often that was over.
	BlacklistAdded, BlacklistRemoved uint64
	// Repeated counts requests that were sent a second time because a used connection turned out to be closed.
	Repeated uint64
	// TunnelsOpened counts upgraded connections.
	TunnelsOpened uint64

	// Levels. Connected are those that are not tunnels.
	Connecting, Connected, Blacklisted, RequestQueue, Tunnels, Backends int64
}

// Stats returns the destination's figures. Each is exact, but they are not read at one moment.
func (d *Destination) Stats() Stats {
	c := &d.stats
	s := Stats{
		Requests: c.requests.Load(), BackpressureFailures: c.refused.Load(),
		RequestsQueued: c.queued.Load(), RequestsForwarded: c.forwarded.Load(),
		ConnectionAttempted: c.attempted.Load(), ConnectionAborted: c.aborted.Load(),
		ConnectionErrored: c.errored.Load(), ConnectionEstablished: c.established.Load(),
		ConnectionDropped: c.dropped.Load(), Repeated: c.repeated.Load(), TunnelsOpened: c.tunnelsTotal.Load(),
		Connecting: c.connecting.Load(), Connected: c.connected.Load(), Tunnels: c.tunnels.Load(),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, b := range d.backends {
		if b.suspect && now.Before(b.aside) {
			s.Blacklisted++
		}
	}
	s.Backends = int64(len(d.backends))
	s.RequestQueue = int64(d.plain.len + d.tunnel.len)
	s.BlacklistAdded = c.setAside.Load()
	s.BlacklistRemoved = s.BlacklistAdded - uint64(s.Blacklisted)
	return s
}

// add sums the figures of several destinations.
func (s *Stats) add(o Stats) {
	s.Requests += o.Requests
	s.BackpressureFailures += o.BackpressureFailures
	s.RequestsQueued += o.RequestsQueued
	s.RequestsForwarded += o.RequestsForwarded
	s.ConnectionAttempted += o.ConnectionAttempted
	s.ConnectionAborted += o.ConnectionAborted
	s.ConnectionErrored += o.ConnectionErrored
	s.ConnectionEstablished += o.ConnectionEstablished
	s.ConnectionDropped += o.ConnectionDropped
	s.BlacklistAdded += o.BlacklistAdded
	s.BlacklistRemoved += o.BlacklistRemoved
	s.Repeated += o.Repeated
	s.TunnelsOpened += o.TunnelsOpened
	s.Connecting += o.Connecting
	s.Connected += o.Connected
	s.Blacklisted += o.Blacklisted
	s.RequestQueue += o.RequestQueue
	s.Tunnels += o.Tunnels
	s.Backends += o.Backends
}

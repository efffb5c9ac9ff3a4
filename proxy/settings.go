package proxy

import (
	"log/slog"
	"time"
)

// settings are a destination's configuration as requests use it. Immutable; a request keeps those it began with.
type settings struct {
	addresses []address
	// queue is how many requests may wait, at least 1.
	queue int
	// conns bounds the connections per backend, and so the requests in progress on it.
	conns          int
	tunnels        int
	keepAlive      time.Duration
	requestTimeout time.Duration
	queueTimeout   time.Duration
	// host is the Host header for backends; empty: the client's, or the backend's address.
	host string
	// idHeader is the request id's header; empty: none.
	idHeader string
}

// newSettings takes what is used from a configuration. Addresses that have no legal form are left out with a warning
// (configuration §2.8).
func newSettings(cfg DestinationConfig, log *slog.Logger) *settings {
	s := &settings{
		queue:          max(cfg.QueueSizeFor503, 1),
		conns:          max(cfg.BackendConnectionsPerIPPort, 1) * max(cfg.InFlightRequestsPerBackendConnection, 1),
		tunnels:        cfg.MaxTunnelsPerIPPort,
		keepAlive:      cfg.KeepAliveTimeout,
		requestTimeout: cfg.MaxRequestTimeout,
		queueTimeout:   cfg.QueueTimeout,
		host:           cfg.OverrideHostHeader,
		idHeader:       cfg.RequestIDHeader,
	}
	for _, text := range cfg.Addresses {
		a, err := parseAddress(text)
		if err != nil {
			log.Warn("Error parsing name", "address", text, "err", err)
			continue
		}
		s.addresses = append(s.addresses, a)
	}
	return s
}

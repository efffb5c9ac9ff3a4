package proxy

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics shows the figures of all destinations of a process: to Prometheus, under one label with the destination's
// name, and as sums. Counting itself costs a request nothing but atomic additions. A nil *Metrics does nothing.
type Metrics struct {
	mu      sync.Mutex // Protects following.
	live    map[*Destination]struct{}
	past    Stats // counters of closed destinations, for Total
	started uint64
	stopped uint64
}

// NewMetrics registers the metrics of all destinations; reg may be nil.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{live: map[*Destination]struct{}{}}
	if reg != nil {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("metrics of the destinations: %w", err)
		}
	}
	return m, nil
}

// Totals are sums over all destinations, those of the past included in the counters.
type Totals struct {
	Stats
	// Pools are the destinations there are; PoolsStarted and PoolsStopped count them.
	Pools                      int64
	PoolsStarted, PoolsStopped uint64
}

// Totals sums up all destinations.
func (m *Metrics) Totals() Totals {
	if m == nil {
		return Totals{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Totals{Stats: m.past, Pools: int64(len(m.live)), PoolsStarted: m.started, PoolsStopped: m.stopped}
	for d := range m.live {
		t.add(d.Stats())
	}
	return t
}

func (m *Metrics) add(d *Destination) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live[d] = struct{}{}
	m.started++
}

func (m *Metrics) remove(d *Destination) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := d.Stats()
	s.Connecting, s.Connected, s.Blacklisted, s.RequestQueue, s.Tunnels, s.Backends = 0, 0, 0, 0, 0, 0
	m.past.add(s)
	delete(m.live, d)
	m.stopped++
}

// metric is one figure of Stats as Prometheus sees it.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Stats) float64
}

func newMetric(name, help string, kind prometheus.ValueType, value func(*Stats) float64) metric {
	desc := prometheus.NewDesc("swindon_destination_"+name, help, []string{"destination"}, nil)
	return metric{desc, kind, value}
}

func counter(name, help string, value func(*Stats) uint64) metric {
	return newMetric(name+"_total", help, prometheus.CounterValue, func(s *Stats) float64 { return float64(value(s)) })
}

func gauge(name, help string, value func(*Stats) int64) metric {
	return newMetric(name, help, prometheus.GaugeValue, func(s *Stats) float64 { return float64(value(s)) })
}

// metrics is the list of all figures; built per scrape, which is rare.
func metrics() []metric {
	return []metric{
		counter("requests", "Requests taken.", func(s *Stats) uint64 { return s.Requests }),
		counter("backpressure_failures", "Requests refused because the queue was full.", func(s *Stats) uint64 { return s.BackpressureFailures }),
		counter("requests_queued", "Requests that had to wait.", func(s *Stats) uint64 { return s.RequestsQueued }),
		counter("requests_forwarded", "Requests written to a backend.", func(s *Stats) uint64 { return s.RequestsForwarded }),
		counter("requests_repeated", "Requests sent again because a used connection was closed.", func(s *Stats) uint64 { return s.Repeated }),
		counter("connections_attempted", "Attempts to connect.", func(s *Stats) uint64 { return s.ConnectionAttempted }),
		counter("connections_aborted", "Attempts to connect given up with their request.", func(s *Stats) uint64 { return s.ConnectionAborted }),
		counter("connections_errored", "Attempts to connect that failed.", func(s *Stats) uint64 { return s.ConnectionErrored }),
		counter("connections_established", "Connections opened.", func(s *Stats) uint64 { return s.ConnectionEstablished }),
		counter("connections_dropped", "Connections closed by either side.", func(s *Stats) uint64 { return s.ConnectionDropped }),
		counter("blacklist_added", "How often a backend was set aside.", func(s *Stats) uint64 { return s.BlacklistAdded }),
		counter("blacklist_removed", "How often a backend that was set aside came back.", func(s *Stats) uint64 { return s.BlacklistRemoved }),
		counter("tunnels_opened", "Connections upgraded to tunnels.", func(s *Stats) uint64 { return s.TunnelsOpened }),
		gauge("connecting", "Connections being opened.", func(s *Stats) int64 { return s.Connecting }),
		gauge("connected", "Connections open, tunnels not counted.", func(s *Stats) int64 { return s.Connected }),
		gauge("blacklisted", "Backends set aside.", func(s *Stats) int64 { return s.Blacklisted }),
		gauge("request_queue", "Requests waiting.", func(s *Stats) int64 { return s.RequestQueue }),
		gauge("tunnels", "Tunnels open.", func(s *Stats) int64 { return s.Tunnels }),
		gauge("backends", "Backend addresses known.", func(s *Stats) int64 { return s.Backends }),
	}
}

// Describe sends nothing: the destinations come and go, so the collector is an unchecked one.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends the figures of every destination.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := metrics()
	for d := range m.live {
		s := d.Stats()
		for _, x := range all {
			ch <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value(&s), d.name)
		}
	}
}

var _ prometheus.Collector = (*Metrics)(nil)

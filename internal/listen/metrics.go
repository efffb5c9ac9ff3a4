package listen

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of all groups, one child per group. Make them once.
type Metrics struct {
	open    *prometheus.GaugeVec
	reached *prometheus.CounterVec
	errors  *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	label := []string{"listener"}
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swindon_listener_connections", Help: "Open connections that came in by a list of listening addresses.",
		}, label),
		reached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swindon_listener_limit_waits_total", Help: "Connections that had to wait because max-connections was reached.",
		}, label),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swindon_listener_accept_errors_total", Help: "Failed accepts.",
		}, label),
	}
	for _, c := range []prometheus.Collector{m.open, m.reached, m.errors} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// forget removes the children of a group that has ended.
func (m *Metrics) forget(name string) {
	m.open.DeleteLabelValues(name)
	m.reached.DeleteLabelValues(name)
	m.errors.DeleteLabelValues(name)
}

package broker

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the broker; all labels come from closed sets.
type metrics struct {
	reg         prometheus.Registerer
	all         []prometheus.Collector
	up          *prometheus.GaugeVec   // lane
	disconnects *prometheus.CounterVec // lane
	rebuilds    *prometheus.CounterVec // lane
	errors      *prometheus.CounterVec // kind
	gaps        *prometheus.CounterVec // reason
	dropped     prometheus.Counter
	flushes     prometheus.Counter
	gathersCut  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		reg: reg,
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swindon_nats_up", Help: "1 while the NATS connection is there and its interest known.",
		}, []string{"lane"}),
		disconnects: counter("swindon_nats_disconnects_total", "NATS connections lost.", "lane"),
		rebuilds:    counter("swindon_nats_rebuilds_total", "NATS connections closed for good and made anew.", "lane"),
		errors:      counter("swindon_nats_errors_total", "Asynchronous errors from NATS.", "kind"),
		gaps:        counter("swindon_nats_gaps_total", "Times at which messages were lost or may have been.", "reason"),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swindon_nats_dropped_total", Help: "Messages dropped because an intake was full.",
		}),
		gathersCut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swindon_nats_gathers_cut_total", Help: "Gathered requests ended because too many answers waited.",
		}),
		flushes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swindon_nats_flushes_total", Help: "Round trips to flush the ordered lane.",
		}),
	}
	for _, reason := range []string{gapOverflow, gapReconnect} {
		m.gaps.WithLabelValues(reason) // a zero shows that nothing was lost
	}
	m.all = []prometheus.Collector{m.up, m.disconnects, m.rebuilds, m.errors, m.gaps, m.dropped, m.flushes, m.gathersCut}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, errors.Join(errors.New("metrics"), err)
		}
	}
	return m, nil
}

// unregister lets a later broker of the same process register again.
func (m *metrics) unregister() {
	if m.reg == nil {
		return
	}
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}

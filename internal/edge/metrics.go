package edge

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// classes are the values of the label class.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// metrics are counted in plain atomics, which !SelfStatus shows, too.
type metrics struct {
	requests  atomic.Uint64
	malformed atomic.Uint64
	panics    atomic.Uint64
	responses [len(classes)]atomic.Uint64
}

func (m *metrics) register(reg prometheus.Registerer) error {
	counter := func(name, help string, labels prometheus.Labels, v *atomic.Uint64) error {
		return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: name, Help: help, ConstLabels: labels,
		}, func() float64 { return float64(v.Load()) }))
	}
	errs := []error{
		counter("swindon_http_requests_total", "Requests on the main listeners, those refused included.", nil, &m.requests),
		counter("swindon_http_malformed_requests_total", "Requests whose target or version is none, answered 400.", nil, &m.malformed),
		counter("swindon_http_panics_total", "Panics of handlers.", nil, &m.panics),
	}
	for i, class := range classes {
		errs = append(errs, counter("swindon_http_responses_total", "Answers by class of status; none: cut off before.",
			prometheus.Labels{"class": class}, &m.responses[i]))
	}
	return errors.Join(errs...)
}

// answered counts the answer to one request.
func (m *metrics) answered(status int) {
	i := status / 100
	if i < 0 || i >= len(classes) {
		i = 0
	}
	m.responses[i].Add(1)
}

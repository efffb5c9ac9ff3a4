package listen

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// warnEvery is how often a reached limit is logged.
const warnEvery = time.Minute

// limit counts the open connections of a group and holds further ones back. All methods may be called concurrently.
type limit struct {
	log     *slog.Logger
	reached prometheus.Counter
	gauge   prometheus.Gauge

	mu     sync.Mutex // guards following
	freed  sync.Cond  // signalled when something changed that acquire waits for
	max    int
	open   int
	warned time.Time
}

func newLimit(max int, log *slog.Logger, reached prometheus.Counter, gauge prometheus.Gauge) *limit {
	l := &limit{max: max, log: log, reached: reached, gauge: gauge}
	l.freed.L = &l.mu
	return l
}

// acquire takes a place for one connection, waiting for one when the limit is reached. It returns false when stopped
// turns true meanwhile; whoever makes it so calls wake.
func (l *limit) acquire(stopped func() bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max && !stopped() {
		l.reached.Inc()
		if now := time.Now(); now.Sub(l.warned) >= warnEvery {
			l.warned = now
			l.log.Warn("Connection limit is reached, further connections wait", "max_connections", l.max)
		}
	}
	for l.open >= l.max && !stopped() {
		l.freed.Wait()
	}
	if stopped() {
		return false
	}
	l.open++
	l.gauge.Inc()
	return true
}

// release gives a place back.
func (l *limit) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	l.gauge.Dec()
	l.freed.Signal()
}

// set changes the limit. Connections above a smaller one stay.
func (l *limit) set(max int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.max = max
	l.freed.Broadcast()
}

// wake lets every waiting acquire look at its stopped again.
func (l *limit) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.freed.Broadcast()
}

func (l *limit) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

package presence

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the trackers of a process do.
type Metrics struct {
	users, followed, active, inactive          atomic.Int64
	writes, writeErrors, malformed             atomic.Int64
	expired, asks, askErrors, adopted, purged  atomic.Int64
	scans, scanErrors, touchesDropped          atomic.Int64
	purgesPutOff                               atomic.Int64
	orphanScans, orphanScanErrors, orphans     atomic.Int64
	notices, noticesLost, noticesAbandoned     atomic.Int64
	noticesWaiting, noticesSending, noticesFul atomic.Int64
}

// NewMetrics returns counters that are registered with reg under swindon_presence_….
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{}
	for _, l := range []struct {
		level      bool
		name, help string
		value      *atomic.Int64
	}{
		{true, "users", "Users whose record is in memory: connected here, watched from here, or with something due.", &m.users},
		{true, "followed_users", "Users whom somebody on this node watches.", &m.followed},
		{true, "active_users", "Users with connections on this node who count as active.", &m.active},
		{true, "inactive_users", "Users with connections on this node who do not count as active.", &m.inactive},
		{false, "record_writes_total", "Changes of records that were asked for.", &m.writes},
		{false, "record_write_errors_total", "Changes of records that failed; they are tried again.", &m.writeErrors},
		{false, "bad_records_total", "Records that could not be read.", &m.malformed},
		{false, "expirations_total", "Deadlines whose passing this node noted.", &m.expired},
		{false, "questions_total", "Questions to other nodes for a later deadline.", &m.asks},
		{false, "question_errors_total", "Such questions that were not fully answered.", &m.askErrors},
		{false, "adoptions_total", "Records out of which dead nodes were taken.", &m.adopted},
		{false, "private_purges_total", "Users whose private documents were purged after the grace.", &m.purged},
		{false, "scans_total", "Readings of all records.", &m.scans},
		{false, "scan_errors_total", "Readings of all records that failed; they are tried again.", &m.scanErrors},
		{false, "touches_dropped_total", "Touches of absent users beyond the bound: a scan of private data finds them later.", &m.touchesDropped},
		{false, "private_purges_put_off_total", "Purges that met data younger than the grace, which no record told of; another follows.", &m.purgesPutOff},
		{false, "orphan_scans_total", "Searches of all private data for users whose record does not tell of it.", &m.orphanScans},
		{false, "orphan_scan_errors_total", "Such searches that failed; they are tried again.", &m.orphanScanErrors},
		{false, "orphans_total", "Users found by such searches: their private data gets a grace.", &m.orphans},
		{false, "notices_total", "Notices of inactivity that a backend has answered.", &m.notices},
		{false, "notices_lost_total", "Notices of inactivity that were given up.", &m.noticesLost},
		{false, "notices_abandoned_total", "Notices of inactivity that another node has taken over.", &m.noticesAbandoned},
		{false, "notices_delayed_total", "Notices of inactivity that found the queue full and were tried again later.", &m.noticesFul},
		{true, "notices_waiting", "Notices of inactivity that wait for their next attempt.", &m.noticesWaiting},
		{true, "notices_sending", "Notices of inactivity being sent.", &m.noticesSending},
	} {
		value := func() float64 { return float64(l.value.Load()) }
		var c prometheus.Collector
		if l.level {
			c = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Namespace: "swindon", Subsystem: "presence", Name: l.name, Help: l.help,
			}, value)
		} else {
			c = prometheus.NewCounterFunc(prometheus.CounterOpts{
				Namespace: "swindon", Subsystem: "presence", Name: l.name, Help: l.help,
			}, value)
		}
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Sessions is the number of users with connections on this node who count as active and as inactive.
func (m *Metrics) Sessions() (active, inactive int64) { return m.active.Load(), m.inactive.Load() }

// Notices is the number of notices that were answered and that were given up.
func (m *Metrics) Notices() (sent, lost int64) { return m.notices.Load(), m.noticesLost.Load() }

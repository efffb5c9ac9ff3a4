package replica

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the Sets of a process do. The zero value counts and shows nothing.
type Metrics struct {
	commits, lostRaces, refused, limited        atomic.Int64
	announced, heard, bad                       atomic.Int64
	holes, catchUps, rereads, lost              atomic.Int64
	dirty, documents, views, slots, waiters     atomic.Int64
	loads, loadErrors, held, purged, dirtyLost  atomic.Int64
	unconfirmed, repairs, heldBack, notAnswered atomic.Int64
	loading, loadsPeak, away, lagging           atomic.Int64
}

type metric struct {
	name, help string
	level      bool
	value      *atomic.Int64
}

func (m *Metrics) list() []metric {
	return []metric{
		{"commits_total", "Documents written to the store.", false, &m.commits},
		{"lost_races_total", "Writes that another node's write came before.", false, &m.lostRaces},
		{"refused_total", "Changes refused because too many wait.", false, &m.refused},
		{"limited_total", "Changes refused because of a configured limit.", false, &m.limited},
		{"announcements_total", "Announcements sent to the other nodes.", false, &m.announced},
		{"announcements_heard_total", "Announcements of other nodes.", false, &m.heard},
		{"bad_announcements_total", "Messages dropped because they are malformed.", false, &m.bad},
		{"holes_total", "Missing sequence numbers that were not heard of in time.", false, &m.holes},
		{"catch_ups_total", "Reads of what was missed.", false, &m.catchUps},
		{"rereads_total", "Reads of everything followed, after this node was out of touch.", false, &m.rereads},
		{"store_lost_total", "Times that the store was found emptied or restored.", false, &m.lost},
		{"stores_away", "Session pools whose store could not be read when that was tried last, at most 5 s ago.", true, &m.away},
		{"dirty_documents", "Documents changed in memory only, while the store cannot be reached.", true, &m.dirty},
		{"dirty_lost_total", "Changes accepted without the store that could not be committed later.", false, &m.dirtyLost},
		{"documents", "Documents of which this node has a copy.", true, &m.documents},
		{"views", "Users and namespaces that clients of this node look at.", true, &m.views},
		{"slots", "Documents with a commit under way.", true, &m.slots},
		{"waiting_changes", "Changes that wait for a commit.", true, &m.waiters},
		{"lagging_reads_total", "Documents read once more because a replica of the store had not heard of their last commit.", false, &m.lagging},
		{"loads_total", "Loads of documents for views.", false, &m.loads},
		{"loads", "Loads of documents for views under way.", true, &m.loading},
		{"loads_peak", "The most loads that were under way at the same time, since the start.", true, &m.loadsPeak},
		{"load_errors_total", "Loads that failed.", false, &m.loadErrors},
		{"held_changes_total", "Changes that waited until a newly visible key was loaded.", false, &m.held},
		{"held_overflows_total", "Views that got their whole state because too many changes waited.", false, &m.heldBack},
		{"purged_total", "Documents removed after their grace.", false, &m.purged},
		{"unconfirmed_total", "Mesh: changes that no other node confirmed in time.", false, &m.unconfirmed},
		{"repairs_total", "Mesh: loads because something was missed or differs.", false, &m.repairs},
		{"loads_unanswered_total", "Mesh: requests for documents that a live node did not answer in time.", false, &m.notAnswered},
	}
}

// began counts a load that begins.
func (m *Metrics) began() {
	n := m.loading.Add(1)
	for peak := m.loadsPeak.Load(); n > peak && !m.loadsPeak.CompareAndSwap(peak, n); peak = m.loadsPeak.Load() {
	}
}

// NewMetrics returns counters that are registered with reg under swindon_replica_….
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{}
	for _, l := range m.list() {
		var c prometheus.Collector
		value := func() float64 { return float64(l.value.Load()) }
		if l.level {
			c = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Namespace: "swindon", Subsystem: "replica", Name: l.name, Help: l.help,
			}, value)
		} else {
			c = prometheus.NewCounterFunc(prometheus.CounterOpts{
				Namespace: "swindon", Subsystem: "replica", Name: l.name, Help: l.help,
			}, value)
		}
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

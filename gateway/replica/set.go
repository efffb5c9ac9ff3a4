package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// Set is all lattice documents and user records of one session pool on this node. All methods may be called
// concurrently; Start once, before anything else.
//
// Locks: mu, a namespace's lock, slots.mu, markMu and those of the small queues. Under a namespace's lock only the small
// queues' and the watchers' may be taken; of the others, none is held while another is taken. No I/O and no publish
// happens under any, and no callback but Watcher.Changed.
type Set struct {
	deps    Deps
	bus     Bus
	store   Store
	log     *slog.Logger
	metrics *Metrics
	header  port.Header // of all announcements; must not be changed
	cfg     atomic.Pointer[Config]
	// early is how much earlier than lattice.EndedKept copies forget ended keys, in milliseconds.
	early int64

	slots  *slots
	recent recent
	fresh  fresh
	counts *counts
	ends   *ends
	idle   *idleQueue
	loader *loader
	dirty  *dirty
	own    *ownRecords
	sweep  *sweeper
	mesh   *mesh // nil with a store
	loads  chan struct{}

	mu      sync.Mutex // guards the following
	spaces  map[names.Namespace]*namespace
	stopped bool

	markMu sync.Mutex // guards the following
	mark   watermark
	synced time.Time // everything that was committed before is known; zero: nothing is yet
	target uint64    // what mark.low must reach so that synced may become targetAt
	// targetAt is when the store's last sequence was target.
	targetAt time.Time
	gap      bool
	catchUp  chan struct{} // holds one token: look at the mark
	away     atomic.Bool   // the last look at the store failed

	below bool // the last look found fewer commits than are known; keepUp's

	sinkMu sync.Mutex // calls of the Sink come one at a time

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New returns a Set that does nothing before Start.
func New(d Deps, cfg Config) (*Set, error) {
	if d.Node == "" || d.Bus == nil || d.Live == nil || d.Limits == nil || d.Log == nil || d.Metrics == nil {
		return nil, errors.New("replica: a dependency is missing")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Met == nil {
		d.Met = func() bool { return true }
	}
	s := &Set{
		deps: d, bus: d.Bus, store: d.Store, log: d.Log, metrics: d.Metrics,
		header: port.Header{port.HeaderNode: {string(d.Node)}},
		ends:   newEnds(), idle: newIdleQueue(viewGrace), loads: make(chan struct{}, maxLoads),
		spaces: make(map[names.Namespace]*namespace), catchUp: make(chan struct{}, 1),
	}
	s.cfg.Store(&cfg)
	s.slots, s.counts, s.loader, s.dirty, s.own = newSlots(s), newCounts(s), newLoader(s), newDirty(s), newOwnRecords()
	s.sweep = newSweeper(s)
	if d.Store == nil {
		s.mesh = newMesh(s)
	} else {
		s.early = forgetEarlier.Milliseconds()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Start begins to follow the other nodes. The caller feeds Hear from then on at the latest.
func (s *Set) Start(context.Context) error {
	jobs := []func(context.Context){s.keepEnds, s.dropIdle, s.sweep.run}
	if s.mesh != nil {
		jobs = append(jobs, s.mesh.run)
	} else {
		jobs = append(jobs, s.loader.run, s.keepUp, s.dirty.run)
	}
	for _, job := range jobs {
		s.spawn(func() { job(s.ctx) })
	}
	return nil
}

// spawn runs f until the Set stops; false: it has.
func (s *Set) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.wg.Go(f)
	return true
}

// Stop ends everything: whatever waits fails. When it returns, nothing of the Set runs any more.
func (s *Set) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	s.slots.stop()
	s.wg.Wait()
	s.uncount()
}

// uncount takes what is left out of the levels of the metrics, which the session pools of a process share.
func (s *Set) uncount() {
	for _, n := range s.all() {
		n.mu.Lock()
		s.metrics.documents.Add(-int64(len(n.shared) + len(n.private)))
		for _, p := range n.private {
			if p.view != nil {
				s.metrics.views.Add(-1)
			}
		}
		n.mu.Unlock()
	}
	s.setAway(false)
	s.dirty.mu.Lock()
	s.metrics.dirty.Add(-int64(len(s.dirty.m)))
	s.dirty.mu.Unlock()
}

// Apply changes the settings.
func (s *Set) Apply(cfg Config) {
	s.cfg.Store(&cfg)
	poke(s.sweep.wake)
}

// Ready tells whether views can be opened and updates be promised something: with a store, the bucket is there and its
// last sequence could be read when that was tried last, which is every 5 s (only a store with quorum answers that); in a
// mesh, everything has been loaded from a peer, or there is none.
func (s *Set) Ready() bool {
	if s.mesh != nil {
		return s.mesh.loaded.Load()
	}
	s.markMu.Lock()
	defer s.markMu.Unlock()
	return s.store.Ready() && !s.synced.IsZero() && !s.away.Load()
}

// setAway notes how the last look at the store ended.
func (s *Set) setAway(away bool) {
	switch was := s.away.Swap(away); {
	case away && !was:
		s.metrics.away.Add(1)
	case !away && was:
		s.metrics.away.Add(-1)
	}
}

func (s *Set) limits() lattice.Limits { return s.deps.Limits() }

// nowMs is the time for ends of keys, in Unix milliseconds.
func (s *Set) nowMs() int64 { return s.deps.Now().UnixMilli() }

// accepts tells whether updates are accepted while the store cannot be reached.
func (s *Set) accepts() bool { return s.cfg.Load().LatticeDegraded == DegradedAccept }

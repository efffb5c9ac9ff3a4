package gateway

import (
	"time"

	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// newLattices connects the documents with the session pool.
func (p *Pool) newLattices() (*replica.Set, error) {
	return replica.New(replica.Deps{
		Node: p.deps.Node, Space: p.deps.Space, Bus: p.deps.Bus, Store: p.deps.Store, Live: p.live, Met: p.deps.Met,
		Sink: recordSink{p}, Limits: func() lattice.Limits { return p.cfg.Load().Limits },
		JoinRecords: presence.JoinRecords, RestoreRecords: presence.RestoreRecords, Log: p.log, Metrics: p.deps.Metrics.Replica,
	}, p.cfg.Load().Replica)
}

// recordSink hands on what the documents tell.
type recordSink struct{ p *Pool }

// RecordHeard takes a record that another node has changed.
func (s recordSink) RecordHeard(u names.UserID, value []byte) { s.p.presence.RecordHeard(u, value) }

// RecordsLost tells that records must be written back to the store.
func (s recordSink) RecordsLost() { s.p.presence.RecordsLost() }

// newPresence connects the presence of users with the session pool.
func (p *Pool) newPresence() *presence.Tracker {
	return presence.New(presence.Deps{
		Node: p.deps.Node, Records: p.lattices, Live: p.live,
		Dead: func(id names.NodeID) bool { return !p.nodes.alive(id) },
		Ask:  p.askWhereabouts, Local: p.sessions.local, Notify: p.notify, Changed: p.statusChanged,
		Config: func() presence.Config {
			cfg := p.cfg.Load()
			return presence.Config{PrivateGrace: cfg.Replica.PrivateGrace, Notices: len(cfg.InactivityHandlers) > 0}
		},
		IDs: p.deps.IDs, Log: p.log, Metrics: p.deps.Metrics.Presence, Now: time.Now,
	})
}

// sinceNow is a clock that starts now.
func sinceNow() func() time.Duration {
	epoch := time.Now()
	return func() time.Duration { return time.Since(epoch) }
}

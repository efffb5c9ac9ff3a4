package node

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/broker"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/port"
)

var (
	_ gateway.Bus       = (*broker.Broker)(nil)
	_ backend.Requester = requester{}
)

// startBroker opens NATS if the configuration needs it and it is not open yet (decision D46).
func (n *Node) startBroker(ctx context.Context, cfg *config.Config) error {
	if n.broker.Load() != nil || !cfg.NeedsNATS() {
		return nil
	}
	pools, subjects := natsNeeds(cfg)
	b, err := broker.Open(ctx, cfg.NATS, broker.Deps{
		Log: n.module("broker"), Metrics: n.registry, Node: n.id, Mesh: cfg.Replication, Pools: pools, Subjects: subjects,
		OnGap: n.gap(newGaps(n.module("broker"), time.Now)),
	})
	if err != nil {
		return err
	}
	n.broker.Store(b)
	return nil
}

// gap reports lost messages, and has the session pools look for what they have missed.
func (n *Node) gap(g *gaps) func(reason string) {
	return func(reason string) {
		g.report(reason)
		for _, p := range n.runningPools() {
			p.Gap(reason)
		}
	}
}

// natsNeeds is what the broker must know of a configuration beyond its own section.
func natsNeeds(cfg *config.Config) (pools []broker.PoolLimit, subjects []string) {
	for name, c := range cfg.SessionPools {
		pools = append(pools, broker.PoolLimit{Name: name, MaxMessage: max(c.MaxPayloadSize, c.MaxFrameSize)})
	}
	for _, c := range cfg.NATSDestinations {
		subjects = append(subjects, c.Subject)
	}
	return pools, subjects
}

// updateBroker tells NATS what a reload wants of it. A failure leaves new backends without permission and nothing else
// in disorder: it is reported and the rest of the reload stands.
func (n *Node) updateBroker(cfg *config.Config) {
	b := n.broker.Load()
	if b == nil {
		return
	}
	if err := b.Update(natsNeeds(cfg)); err != nil {
		n.log.Error("NATS does not take the new configuration", "err", err)
	}
}

// requester is what NATS destinations send with. A reload may start NATS later than a destination.
type requester struct{ n *Node }

// Request sends over NATS. A node without session pools runs none; then nobody calls.
func (r requester) Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error) {
	b := r.n.broker.Load()
	if b == nil {
		return port.Message{}, port.ErrUnavailable
	}
	return b.Request(ctx, lane, m)
}

// NextRequest numbers a request.
func (r requester) NextRequest(lane port.Lane) uint64 {
	b := r.n.broker.Load()
	if b == nil {
		return 0
	}
	return b.NextRequest(lane)
}

// Start sends over NATS and does not wait.
func (r requester) Start(lane port.Lane, id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error {
	b := r.n.broker.Load()
	if b == nil || id == 0 {
		return port.ErrUnavailable
	}
	return b.Start(lane, id, m, deadline, done)
}

// Cancel gives a started request up.
func (r requester) Cancel(lane port.Lane, id uint64) {
	if b := r.n.broker.Load(); b != nil {
		b.Cancel(lane, id)
	}
}

package node

import (
	"context"

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
	d := broker.Deps{Log: n.module("broker"), Metrics: n.registry, Node: n.id, Mesh: cfg.Replication}
	for name, c := range cfg.SessionPools {
		d.Pools = append(d.Pools, broker.PoolLimit{Name: name, MaxMessage: max(c.MaxPayloadSize, c.MaxFrameSize)})
	}
	for _, c := range cfg.NATSDestinations {
		d.Subjects = append(d.Subjects, c.Subject)
	}
	b, err := broker.Open(ctx, cfg.NATS, d)
	if err != nil {
		return err
	}
	n.broker.Store(b)
	return nil
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

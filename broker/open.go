package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Open starts the embedded server, or connects to the external one, and returns when both connections are up. When an
// external server is away it returns after at most two seconds all the same: then Up is false and the broker keeps
// trying (decision D44). Errors are those that waiting does not heal: a port in use, a file that cannot be read.
// The caller ends it with Close.
func Open(ctx context.Context, cfg Config, deps Deps) (*Broker, error) {
	if deps.OnGap == nil {
		deps.OnGap = func(string) {}
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{
		cfg: cfg, deps: deps, log: deps.Log, m: m, intakes: map[*intake]*link{}, lookForBuckets: make(chan struct{}, 1),
	}
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	target, err := b.target()
	if err != nil {
		b.cancel()
		m.unregister()
		return nil, err
	}
	b.bus = newLink(port.LaneOrdered, cfg.URL, target, b)
	b.calls = newLink(port.LaneCalls, cfg.URL, target, b)
	b.flush = newFlushGroup(b.bus.roundTrip)
	b.stores = newStores(b, names.Prefix(cfg.Prefix))
	b.bus.inspect = b.checkPayload
	b.calls.onUp = b.stores.wake
	b.bus.open()
	b.calls.open()
	if err := b.awaitStart(ctx); err != nil {
		b.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	b.wg.Go(func() { b.stores.keep(b.ctx) })
	return b, nil
}

// target starts the embedded server, if that is the way, and says where to connect and as whom.
func (b *Broker) target() ([]nats.Option, error) {
	if _, err := names.ParsePrefix(b.cfg.Prefix); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if len(b.cfg.URL) > 0 {
		if b.deps.Mesh.Enabled() {
			b.log.Warn("replication has no effect with an external nats")
		}
		opts, err := externalOptions(b.cfg)
		if err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
		return opts, nil
	}
	var err error
	if b.server, err = startEmbedded(b.cfg, b.deps); err != nil {
		return nil, fmt.Errorf("embedded nats: %w", err)
	}
	return b.server.options(), nil
}

// checkPayload warns of an external server that takes less than a session pool allows (decision D18).
func (b *Broker) checkPayload(nc *nats.Conn) {
	b.reload.Lock()
	pools := b.deps.Pools
	b.reload.Unlock()
	if b.server == nil {
		b.warnOfSmall(pools, nc.MaxPayload())
	}
}

func (b *Broker) warnOfSmall(pools []PoolLimit, limit int64) {
	for _, p := range pools {
		if p.MaxMessage > limit {
			b.log.Warn("nats takes smaller messages than the session pool allows; larger ones are refused",
				"pool", string(p.Name), "limit", p.MaxMessage, "max_payload", limit)
		}
	}
}

// awaitStart waits until both connections are up; an external server may be away.
func (b *Broker) awaitStart(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for _, l := range []*link{b.bus, b.calls} {
		if err := l.awaitUp(wait); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("nats: %w", ctx.Err())
			}
			if b.server != nil {
				return errors.New("embedded nats: no connection to it")
			}
			b.log.Warn("nats is not reachable, trying on", "lane", l.lane.String())
			return nil
		}
	}
	if b.server == nil {
		return nil // the keeper looks for them
	}
	if err := b.stores.ensure(ctx); err != nil {
		return fmt.Errorf("embedded nats: %w", err)
	}
	return nil
}

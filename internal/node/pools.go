package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/broker"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/api"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/names"
)

// sessionPool is a session pool with the server of its backend API.
type sessionPool struct {
	pool *gateway.Pool
	api  *server
}

// addPool makes and starts a session pool. Its API does not listen yet.
func (n *Node) addPool(ctx context.Context, name names.Pool, cfg gateway.Config) (*sessionPool, error) {
	b := n.broker.Load()
	space, err := names.NewSpace(b.Prefix(), name)
	if err != nil {
		return nil, fmt.Errorf("session pool %s: %w", name, err)
	}
	p, err := gateway.NewPool(name, cfg, gateway.Deps{
		Node: n.id, NextConn: n.nextConn, Bus: b, Store: storeOf(b, name), Met: n.met.Load, Space: space, Destinations: n.dests.resolve,
		IDs: n.ids, Log: n.module("gateway"), Metrics: n.gatewayMetrics,
	})
	if err != nil {
		return nil, fmt.Errorf("session pool %s: %w", name, err)
	}
	if err := p.Start(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("session pool %s: %w", name, err)
	}
	settings := func() api.Settings {
		c := p.Config()
		return api.Settings{MaxPayloadSize: c.MaxPayloadSize, Limits: c.Limits, Tokens: c.APITokens, Strict: c.StrictAPI}
	}
	h := api.NewHandler(p, settings, n.module("api").With("pool", string(name)))
	return &sessionPool{pool: p, api: n.newServer("api-"+string(name), apiListen(cfg), h)}, nil
}

// storeOf is a session pool's bucket; nil in a mesh, which has none.
func storeOf(b *broker.Broker, name names.Pool) replica.Store {
	if s := b.Store(name); s != nil {
		return s
	}
	return nil
}

// apiListen is how the backend API of a session pool listens.
func apiListen(cfg gateway.Config) listen.Config {
	return listen.Config{
		Addresses: cfg.Listen, MaxConnections: cfg.MaxConnections, ErrorPause: cfg.ListenErrorTimeout, Timeouts: innerTimeouts,
	}
}

// startPools makes the session pools of a configuration that do not exist yet. On error none of them is left.
func (n *Node) startPools(ctx context.Context, cfg *config.Config) (map[names.Pool]*sessionPool, error) {
	added := map[names.Pool]*sessionPool{}
	for name, c := range cfg.SessionPools {
		if _, ok := n.pools[name]; ok {
			continue
		}
		err := n.awaitRetired(ctx, name)
		var p *sessionPool
		if err == nil {
			p, err = n.addPool(ctx, name, c)
		}
		if err != nil {
			for _, p := range added {
				p.pool.Stop()
			}
			return nil, err
		}
		added[name] = p
	}
	return added, nil
}

// meetTimeout bounds the wait for the other nodes of a mesh. Two that dial each other at once may both hang up, and try
// again after a second.
const meetTimeout = 5 * time.Second

// meet waits until the nodes of the mesh that are up already know this one's session pools. Those that start later wait
// for this one.
func (n *Node) meet(ctx context.Context) {
	defer n.met.Store(true)
	b := n.broker.Load()
	if b == nil {
		return
	}
	peers := b.Peers(ctx)
	if len(peers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for name, p := range n.pools {
		wg.Go(func() {
			if missing := p.pool.Meet(ctx, peers); len(missing) > 0 {
				n.log.Warn("Nodes of the mesh do not answer", "pool", string(name), "nodes", missing)
			}
		})
	}
	wg.Wait()
}

// publishPools makes the session pools known to those who ask from other goroutines.
func (n *Node) publishPools() {
	list := make([]*gateway.Pool, 0, len(n.pools))
	for _, name := range slices.Sorted(maps.Keys(n.pools)) {
		list = append(list, n.pools[name].pool)
	}
	n.running.Store(&list)
}

// runningPools are the session pools of this moment. It may be called from anywhere.
func (n *Node) runningPools() []*gateway.Pool {
	if list := n.running.Load(); list != nil {
		return *list
	}
	return nil
}

// retire stops a session pool that the configuration does not have any more: its clients get 4001.
func (n *Node) retire(name names.Pool, p *sessionPool) {
	done := make(chan struct{})
	n.retired[name] = done
	n.retiring.Go(func() {
		defer close(done)
		p.api.stop(n.life)
		p.api.group.Forget()
		p.pool.Stop()
	})
}

// awaitRetired waits, some seconds at most, until nothing runs any more of a session pool that was removed and is configured
// again: both have the node's id, and what the old one writes last, that its users have left this node, must not
// meet what the new one writes.
func (n *Node) awaitRetired(ctx context.Context, name names.Pool) error {
	done, ok := n.retired[name]
	if !ok {
		return nil
	}
	select {
	case <-done:
		delete(n.retired, name)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("session pool %s is still being removed: %w", name, ctx.Err())
	}
}

// drainPools closes all websockets as ctx allows and then ends the session pools.
func (n *Node) drainPools(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range n.pools {
		wg.Go(func() {
			p.pool.Drain(ctx)
			p.api.stop(ctx)
			p.pool.Stop()
		})
	}
	wg.Wait()
}

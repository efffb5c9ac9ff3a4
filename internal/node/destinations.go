package node

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/proxy"
)

const (
	// lingerTime is how long a destination that a reload removed is still found, by requests that were routed just before.
	lingerTime = 10 * time.Second
	// retireTimeout bounds how long its requests may go on after that.
	retireTimeout = time.Minute
)

// upstreams are the destinations by name. An upstreams value is immutable; reloads make a new one.
type upstreams struct {
	http map[string]*proxy.Destination
	nats map[string]*backend.NATS
}

// destinations hold the destinations of the moment, and for lingerTime those that a reload has removed. Lookups are
// lock-free.
type destinations struct {
	n       *Node
	current atomic.Pointer[upstreams]
	// retiring are removed destinations that linger, until lingering ends, or whose requests still run, until life ends.
	retiring  sync.WaitGroup
	lingering context.Context
	stop      context.CancelFunc // ends lingering
	life      context.Context
	end       context.CancelFunc

	mu     sync.Mutex // is held by whoever changes current; guards wanted
	wanted *config.Config
}

func newDestinations(n *Node) *destinations {
	d := &destinations{n: n}
	d.lingering, d.stop = context.WithCancel(context.Background())
	d.life, d.end = context.WithCancel(context.Background())
	d.current.Store(noUpstreams())
	return d
}

// proxy finds a destination for the reverse proxy.
func (d *destinations) proxy(name string) *proxy.Destination { return d.current.Load().http[name] }

// resolve finds a destination for a session pool.
func (d *destinations) resolve(name string) (backend.Destination, bool) {
	u := d.current.Load()
	if h, ok := u.http[name]; ok {
		return backend.Destination{HTTP: h}, true
	}
	if n, ok := u.nats[name]; ok {
		return backend.Destination{NATS: n}, true
	}
	return backend.Destination{}, false
}

// apply takes over the destinations of a configuration: those that stay keep their queue and connections.
func (d *destinations) apply(cfg *config.Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.current.Load()
	next := &upstreams{http: maps.Clone(old.http), nats: maps.Clone(old.nats)}
	for name, c := range cfg.HTTPDestinations {
		if have, ok := old.http[name]; ok {
			have.Apply(c)
			continue
		}
		next.http[name] = proxy.NewDestination(name, c, proxy.Deps{
			Log: d.n.module("proxy"), Metrics: d.n.proxyMetrics, UserAgent: ident.Product,
		})
	}
	for name, c := range cfg.NATSDestinations {
		if have, ok := old.nats[name]; ok {
			have.Apply(c)
			continue
		}
		next.nats[name] = backend.NewNATS(name, c, requester{d.n})
	}
	d.wanted = cfg
	d.current.Store(next)
	if len(next.http) > len(cfg.HTTPDestinations) || len(next.nats) > len(cfg.NATSDestinations) {
		d.retiring.Go(d.retire)
	}
}

// retire forgets the destinations that the configuration does not have, unless it has them again by then, and ends them
// when their requests are done.
func (d *destinations) retire() {
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	select {
	case <-linger.C:
	case <-d.lingering.Done():
		return
	}
	d.mu.Lock()
	next := &upstreams{http: maps.Clone(d.current.Load().http), nats: maps.Clone(d.current.Load().nats)}
	var gone []*proxy.Destination
	for name, h := range next.http {
		if _, ok := d.wanted.HTTPDestinations[name]; !ok {
			gone = append(gone, h)
			delete(next.http, name)
		}
	}
	maps.DeleteFunc(next.nats, func(name string, _ *backend.NATS) bool {
		_, ok := d.wanted.NATSDestinations[name]
		return !ok
	})
	d.current.Store(next)
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(d.life, retireTimeout)
	defer cancel()
	closeAll(ctx, gone)
}

// close ends all destinations, letting requests finish until ctx ends.
func (d *destinations) close(ctx context.Context) {
	d.stop()
	defer context.AfterFunc(ctx, d.end)()
	d.mu.Lock()
	all := slices.Collect(maps.Values(d.current.Swap(noUpstreams()).http))
	d.mu.Unlock()
	closeAll(ctx, all)
	d.retiring.Wait()
	d.end()
}

func closeAll(ctx context.Context, dests []*proxy.Destination) {
	var wg sync.WaitGroup
	for _, h := range dests {
		wg.Go(func() { h.Close(ctx) })
	}
	wg.Wait()
}

func noUpstreams() *upstreams {
	return &upstreams{http: map[string]*proxy.Destination{}, nats: map[string]*backend.NATS{}}
}

package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/proxy"
)

// retireTimeout bounds how long requests of a destination that a reload removed may go on.
const retireTimeout = time.Minute

// upstreams are the destinations by name. An upstreams value is immutable; reloads make a new one.
type upstreams struct {
	http map[string]*proxy.Destination
	nats map[string]*backend.NATS
}

// destinations hold the destinations of the moment. Lookups are lock-free; only the node's own goroutine changes them.
type destinations struct {
	n       *Node
	current atomic.Pointer[upstreams]
	// retiring are removed destinations whose requests still run.
	retiring sync.WaitGroup
}

func newDestinations(n *Node) *destinations {
	d := &destinations{n: n}
	d.current.Store(&upstreams{})
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
	old := d.current.Load()
	next := &upstreams{http: map[string]*proxy.Destination{}, nats: map[string]*backend.NATS{}}
	for name, c := range cfg.HTTPDestinations {
		if have, ok := old.http[name]; ok {
			have.Apply(c)
			next.http[name] = have
			continue
		}
		next.http[name] = proxy.NewDestination(name, c, proxy.Deps{
			Log: d.n.module("proxy"), Metrics: d.n.proxyMetrics, UserAgent: ident.Product,
		})
	}
	for name, c := range cfg.NATSDestinations {
		if have, ok := old.nats[name]; ok {
			have.Apply(c)
			next.nats[name] = have
			continue
		}
		next.nats[name] = backend.NewNATS(name, c, requester{d.n})
	}
	d.current.Store(next)
	for name, gone := range old.http {
		if next.http[name] != nil {
			continue
		}
		d.retiring.Go(func() {
			ctx, cancel := context.WithTimeout(d.n.life, retireTimeout)
			defer cancel()
			gone.Close(ctx)
		})
	}
}

// close ends all destinations, letting requests finish until ctx ends.
func (d *destinations) close(ctx context.Context) {
	var wg sync.WaitGroup
	for _, h := range d.current.Swap(&upstreams{}).http {
		wg.Go(func() { h.Close(ctx) })
	}
	wg.Wait()
	d.retiring.Wait()
}

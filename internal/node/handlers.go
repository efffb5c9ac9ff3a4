package node

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/access"
	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/proxy"
	"github.com/swindon-go/swindon/routing"
	"github.com/swindon-go/swindon/static"
)

// builder makes the handlers, authorizers and routes of one configuration.
type builder struct {
	n        *Node
	cfg      *config.Config
	pools    map[names.Pool]*sessionPool
	disks    *static.Pools
	handlers map[string]http.Handler
	lattices []*gateway.Handler
}

// table makes the routes of a configuration over the given session pools. inForce must be called when they begin to be
// used.
func (n *Node) table(cfg *config.Config, pools map[names.Pool]*sessionPool) (table *edge.Table, inForce func(), err error) {
	b := &builder{
		n: n, cfg: cfg, pools: pools, disks: static.NewPools(cfg.DiskPools, n.module("static")),
		handlers: map[string]http.Handler{},
	}
	for name := range cfg.Handlers {
		if _, err := b.handler(name); err != nil {
			return nil, nil, err
		}
	}
	authorizers := map[string]edge.Authorizer{}
	for name, a := range cfg.Authorizers {
		authorizers[name] = b.authorizer(a)
	}
	routes, err := routing.NewTable(cfg.Routing, func(r routing.Route) (*edge.Target, error) {
		h, ok := b.handlers[r.Handler]
		if !ok {
			return nil, fmt.Errorf("handler %q not found", r.Handler)
		}
		a, ok := authorizers[r.Authorizer]
		if !ok {
			return nil, fmt.Errorf("authorizer %q not found", r.Authorizer)
		}
		return &edge.Target{HandlerName: r.Handler, Handler: h, AuthorizerName: r.Authorizer, Authorizer: a}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return edge.NewTable(cfg.Edge, routes), func() {
		for _, h := range b.lattices {
			h.InForce()
		}
	}, nil
}

func (b *builder) authorizer(a config.Authorizer) edge.Authorizer {
	switch a := a.(type) {
	case config.AllowAllAuthorizer:
		return access.AllowAll{}
	case config.SourceIPAuthorizer:
		return access.NewSourceIP(a.SourceIPConfig, b.cfg.Networks)
	case config.LDAPAuthorizer:
		return access.Unsupported{} // a later milestone; until then nobody passes
	}
	return access.Unsupported{}
}

// handler makes the handler of a name once.
func (b *builder) handler(name string) (http.Handler, error) {
	if h, ok := b.handlers[name]; ok {
		return h, nil
	}
	h, err := b.build(b.cfg.Handlers[name])
	if err != nil {
		return nil, fmt.Errorf("handler %q: %w", name, err)
	}
	b.handlers[name] = h
	return h, nil
}

// build is the one place that knows all kinds of handlers.
func (b *builder) build(h config.Handler) (http.Handler, error) {
	switch h := h.(type) {
	case config.StaticHandler:
		return static.NewHandler(h.Config, b.disks, b.log("static")), nil
	case config.SingleFileHandler:
		return static.NewSingleFile(h.SingleFileConfig, b.disks, b.log("static")), nil
	case config.ProxyHandler:
		return proxy.NewHandler(h.HandlerConfig, b.n.dests.proxy, b.log("proxy")), nil
	case config.EmptyGifHandler:
		return builtin.NewEmptyGif(h.EmptyGifConfig, b.log("builtin")), nil
	case config.SelfStatusHandler:
		return builtin.NewSelfStatus(h.SelfStatusConfig, b.n.status(), b.log("builtin")), nil
	case config.BaseRedirectHandler:
		return builtin.NewBaseRedirect(h.BaseRedirectConfig), nil
	case config.StripWWWRedirectHandler:
		return builtin.StripWWWRedirect{}, nil
	case config.WebsocketEchoHandler:
		return b.n.echo, nil
	case config.LatticeHandler:
		return b.lattice(h.HandlerConfig)
	case config.DefaultHandler:
		return builtin.NotFound{}, nil
	case config.VersionedStaticHandler, config.HTTPBinHandler:
		return builtin.NotImplemented{}, nil // a later milestone: read and checked now
	}
	return nil, fmt.Errorf("no handler for %T", h)
}

func (b *builder) log(module string) *slog.Logger { return b.n.module(module) }

// lattice makes a websocket route.
func (b *builder) lattice(c gateway.HandlerConfig) (http.Handler, error) {
	pool, ok := b.pools[c.SessionPool]
	if !ok {
		return nil, fmt.Errorf("no session pool %q", c.SessionPool)
	}
	patterns := map[string]names.Destination{}
	for _, m := range c.MessageHandlers {
		patterns[m.Pattern] = m.Destination
	}
	methods, err := routing.NewPatterns(patterns)
	if err != nil {
		return nil, err
	}
	plain, err := b.plain(c.HTTPRoute)
	if err != nil {
		return nil, err
	}
	h := gateway.NewHandler(c, methods, pool.pool, plain, b.log("gateway"))
	b.lattices = append(b.lattices, h)
	return h, nil
}

// plain finds the handler for requests of a websocket route that are no handshake. A route may name another websocket
// route, whose own http-route then counts; names that go round in a circle lead nowhere (404).
func (b *builder) plain(name string) (http.Handler, error) {
	seen := map[string]bool{}
	for name != "" && !seen[name] {
		seen[name] = true
		l, ok := b.cfg.Handlers[name].(config.LatticeHandler)
		if !ok {
			return b.handler(name)
		}
		name = l.HTTPRoute
	}
	return nil, nil //nolint:nilnil // no handler is a legal outcome, and gateway.NewHandler takes it as 404
}

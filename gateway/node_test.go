package gateway_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/api"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/routing"
)

// node is one gateway process in a test: a session pool "main" with one route, on networks in memory.
type node struct {
	id       names.NodeID
	bus      *memory.Bus
	pool     *gateway.Pool
	api      http.Handler
	metrics  *gateway.Metrics
	registry *prometheus.Registry
	listener *memnet.Listener
	server   *http.Server
}

// setup is what a test may want otherwise than usual.
type setup struct {
	log     slog.Handler // nil: discard
	name    names.Pool
	next    func() uint64
	pool    gateway.Config
	handler gateway.HandlerConfig
	nats    backend.NATSConfig
	plain   http.Handler
	api     api.Settings
	// mesh: there is no store.
	mesh bool
}

func newSetup(tb testing.TB) *setup {
	tb.Helper()
	s := &setup{pool: gateway.DefaultConfig(), handler: gateway.DefaultHandlerConfig(), nats: backend.DefaultNATSConfig()}
	var conns atomic.Uint64
	s.name, s.next = "main", func() uint64 { return conns.Add(1) - 1 }
	s.handler.SessionPool = s.name
	s.methods(tb, "* = main; nats.* = svc")
	return s
}

// methods sets the message handlers from "PATTERN = DESTINATION; …".
func (s *setup) methods(tb testing.TB, text string) {
	tb.Helper()
	s.handler.MessageHandlers = nil
	for m := range strings.SplitSeq(text, ";") {
		pattern, dest, _ := strings.Cut(m, "=")
		d, err := names.ParseDestination(strings.TrimSpace(dest))
		if err != nil {
			tb.Fatal(err)
		}
		s.handler.MessageHandlers = append(s.handler.MessageHandlers,
			gateway.MessageHandler{Pattern: strings.TrimSpace(pattern), Destination: d})
	}
}

func nodeID(n int) names.NodeID { return names.NodeID(fmt.Sprintf("%032d", n)) }

// startNode starts a node whose destinations are main and auth (HTTP), svc (NATS); others are unknown.
func startNode(tb testing.TB, n int, s *setup, network *memory.Network, b *backends) *node {
	tb.Helper()
	var svc *backend.NATS
	nd := startNodeWith(tb, n, s, network, func(name string) (backend.Destination, bool) {
		switch name {
		case "main", "auth":
			return backend.Destination{HTTP: httpDest{name, b}}, true
		case "svc":
			return backend.Destination{NATS: svc}, true
		}
		return backend.Destination{}, false
	})
	svc = backend.NewNATS("svc", s.nats, nd.bus)
	return nd
}

// startNodeWith starts a node with its own destinations. It is stopped at the end of the test.
func startNodeWith(tb testing.TB, n int, s *setup, network *memory.Network, dests backend.Resolver) *node {
	tb.Helper()
	nd := &node{id: nodeID(n), bus: network.Join(), listener: memnet.Listen(0)}
	space, err := names.NewSpace("sw", s.name)
	if err != nil {
		tb.Fatal(err)
	}
	nd.registry = prometheus.NewRegistry()
	if nd.metrics, err = gateway.NewMetrics(nd.registry); err != nil {
		tb.Fatal(err)
	}
	next := s.next
	if n > 1 {
		// Each process counts for itself.
		var conns atomic.Uint64
		next = func() uint64 { return conns.Add(1) - 1 }
	}
	log := slog.New(slog.DiscardHandler)
	if s.log != nil {
		log = slog.New(s.log)
	}
	nd.pool, err = gateway.NewPool(s.name, s.pool, gateway.Deps{
		Node:         nd.id,
		NextConn:     next,
		Bus:          nd.bus,
		Store:        nd.store(s),
		Space:        space,
		Destinations: dests,
		IDs:          ident.New(time.Now),
		Log:          log,
		Metrics:      nd.metrics,
	})
	if err != nil {
		tb.Fatal(err)
	}
	nd.bus.OnGap(nd.pool.Gap)
	if err := nd.pool.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	patterns := map[string]names.Destination{}
	for _, m := range s.handler.MessageHandlers {
		patterns[m.Pattern] = m.Destination
	}
	methods, err := routing.NewPatterns(patterns)
	if err != nil {
		tb.Fatal(err)
	}
	s.api.MaxPayloadSize = s.pool.MaxPayloadSize
	s.api.Tokens, s.api.Strict, s.api.Limits = s.pool.APITokens, s.pool.StrictAPI, s.pool.Limits
	nd.api = api.NewHandler(nd.pool, func() api.Settings { return s.api }, log)
	h := gateway.NewHandler(s.handler, methods, nd.pool, s.plain, log)
	h.InForce()
	nd.serve(h)
	tb.Cleanup(nd.stop)
	return nd
}

// store is the bucket of the session pool as the node sees it; nil in a mesh.
func (nd *node) store(s *setup) replica.Store {
	if s.mesh {
		return nil
	}
	return nd.bus.Store(s.name)
}

func (nd *node) serve(h http.Handler) {
	nd.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &web.Record{Target: r.RequestURI, Peer: memnetPeer}
		h.ServeHTTP(web.NewWriter(w, rec), r.WithContext(web.WithRecord(r.Context(), rec)))
	})}
	go func() { _ = nd.server.Serve(nd.listener) }()
}

func (nd *node) stop() {
	nd.pool.Stop()
	_ = nd.server.Close()
}

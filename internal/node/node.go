package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/swindon-go/swindon/broker"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
	"github.com/swindon-go/swindon/proxy"
)

// Node is one running node. New makes it, Start starts it, Stop ends it; Reload may be called in between. Start, Reload
// and Stop must not be called at the same time: Run calls them from one goroutine.
type Node struct {
	o     Options
	log   *slog.Logger
	ids   *ident.Generator
	id    names.NodeID
	conns atomic.Uint64 // the next connection's number

	registry       *prometheus.Registry
	listenMetrics  *listen.Metrics
	proxyMetrics   *proxy.Metrics
	gatewayMetrics *gateway.Metrics
	echo           *builtin.Echo
	sampler        *builtin.Sampler

	// cfg is what runs, sources the files that were read last, good or bad, complaint what was said about them. Only the
	// goroutine of Run uses them; the rest reads fingerprint.
	cfg         *config.Config
	sources     config.Sources
	complaint   string
	fingerprint atomic.Pointer[string]
	broker      atomic.Pointer[broker.Broker]
	dests       *destinations
	pools       map[names.Pool]*sessionPool
	// running are the session pools for those who are on other goroutines.
	running atomic.Pointer[[]*gateway.Pool]
	edge    *edge.Server
	main    *listen.Group
	admin   *server
	// met is true when the nodes of the mesh that were up at the start know this one.
	met atomic.Bool
	// ready is true between the end of Start and the beginning of Stop.
	ready atomic.Bool

	// life ends when Stop has done its work; it bounds what a reload leaves running.
	life     context.Context
	end      context.CancelFunc
	retiring sync.WaitGroup
	// retired are closed when session pools that were removed are gone; the goroutine of Run's.
	retired map[names.Pool]chan struct{}
}

// New returns a node that does nothing yet.
func New(o Options) (*Node, error) {
	if o.Loaded == nil || o.Log == nil {
		return nil, errors.New("node: a configuration and a logger are required")
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	n := &Node{
		o: o, log: o.Log.With(slog.String(moduleKey, "swindon::main")), ids: ident.New(time.Now),
		cfg: o.Loaded.Config, sources: o.Loaded.Sources, registry: prometheus.NewRegistry(), sampler: builtin.NewSampler(time.Now),
		pools: map[names.Pool]*sessionPool{}, retired: map[names.Pool]chan struct{}{},
	}
	n.id = names.NodeID(n.ids.Next())
	n.fingerprint.Store(&o.Loaded.Fingerprint)
	n.life, n.end = context.WithCancel(context.Background())
	n.dests = newDestinations(n)
	n.echo = builtin.NewEcho(ws.NewGroup(), nil, n.module("echo"))
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if n.listenMetrics, err = listen.NewMetrics(n.registry); err != nil {
		return nil, err
	}
	if n.proxyMetrics, err = proxy.NewMetrics(n.registry); err != nil {
		return nil, err
	}
	if n.gatewayMetrics, err = gateway.NewMetrics(n.registry); err != nil {
		return nil, err
	}
	return n, nil
}

// moduleKey is the attribute that names the module in log lines.
const moduleKey = "module"

// module returns the logger of one part of the node.
func (n *Node) module(name string) *slog.Logger {
	return n.o.Log.With(slog.String(moduleKey, "swindon::"+name))
}

// nextConn numbers connections, from 0, for all session pools (decision D2).
func (n *Node) nextConn() uint64 { return n.conns.Add(1) - 1 }

// ID is the node's id.
func (n *Node) ID() names.NodeID { return n.id }

// Start starts the parts in the order in which they need each other. On error everything that was started is stopped.
// A port that cannot be bound is an error.
func (n *Node) Start(ctx context.Context) (err error) {
	//nolint:sloglint // The form is the original's (configuration §1.2).
	n.log.Warn(fmt.Sprintf("Started with server_id %s, config %s", n.id, *n.fingerprint.Load()))
	defer func() {
		if err != nil {
			stop, cancel := context.WithCancel(ctx)
			cancel() // nothing is under way that would be worth waiting for
			n.stop(stop)
		}
	}()
	if err := n.startBroker(ctx, n.cfg); err != nil {
		return err
	}
	n.dests.apply(n.cfg)
	if n.pools, err = n.startPools(ctx, n.cfg); err != nil {
		return err
	}
	n.publishPools()
	n.meet(ctx)
	if err := n.startEdge(); err != nil {
		return err
	}
	n.startAdmin()
	if err := n.bind(ctx); err != nil {
		return err
	}
	if err := dropPrivileges(n.cfg.SetUser, n.cfg.SetGroup); err != nil {
		return err
	}
	n.serve()
	n.ready.Store(true)
	return nil
}

// startEdge makes the server of the main listeners, with its first table of routes.
func (n *Node) startEdge() error {
	table, inForce, err := n.table(n.cfg, n.pools)
	if err != nil {
		return err
	}
	inForce()
	n.edge, err = edge.New(table, edge.Deps{
		Log: n.module("edge"), Registerer: n.registry, IDs: n.ids, RequestLog: n.o.Stdout,
	})
	if err != nil {
		return err
	}
	n.main = listen.New("main", edge.ListenConfig(n.cfg.Edge), listen.Deps{
		Log: n.module("listen"), Metrics: n.listenMetrics, Listening: n.announce,
	})
	return nil
}

// announce prints where the node is about to listen (configuration §1.1).
func (n *Node) announce(addrs []netip.AddrPort) {
	if !n.o.Verbose || len(addrs) == 0 {
		return
	}
	text := make([]string, len(addrs))
	for i, a := range addrs {
		text[i] = a.String()
	}
	fmt.Fprintln(n.o.Stdout, "Listening at "+strings.Join(text, ", "))
}

// groups are all sockets: those of the operator, of the session pools and, last, of the main listeners: who reads of those
// can reach the others.
func (n *Node) groups() []*listen.Group {
	g := []*listen.Group{n.admin.group}
	for _, name := range slices.Sorted(maps.Keys(n.pools)) {
		g = append(g, n.pools[name].api.group)
	}
	return append(g, n.main)
}

// bind binds all addresses, before privileges are dropped (decision D41).
func (n *Node) bind(ctx context.Context) error {
	for _, g := range n.groups() {
		if err := g.Bind(ctx); err != nil {
			return err
		}
	}
	return nil
}

// serve begins to answer: backends and operators first, so that a backend that hears of a client can reach us.
func (n *Node) serve() {
	n.admin.serve()
	for _, p := range n.pools {
		p.api.serve()
	}
	n.main.Serve(n.edge.Serve)
}

// Addrs are the addresses of the main listeners.
func (n *Node) Addrs() []netip.AddrPort { return n.main.Addrs() }

// APIAddrs are the addresses of a session pool's backend API; none for an unknown one.
func (n *Node) APIAddrs(pool names.Pool) []netip.AddrPort {
	if p, ok := n.pools[pool]; ok {
		return p.api.group.Addrs()
	}
	return nil
}

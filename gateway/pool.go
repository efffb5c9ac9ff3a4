package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/ws"
)

// Pool is one session pool on this node: its connections, sessions and topics. All methods may be called concurrently;
// Start once, before any connection.
//
// Lock order: connection → session; session's list → session, watches; connection or session → topic shard, topic or namespace
// → pending → outbox. A shard's lock is given back before the lock of what was found in it is taken, locks of one rank
// are never held together, and no I/O and no NATS publish happens under any.
type Pool struct {
	name    names.Pool
	deps    Deps
	log     *slog.Logger
	cfg     atomic.Pointer[Config]
	level   atomic.Int32 // backend.Level of the routes
	backend *backend.Caller
	group   *ws.Group

	conns    *registry
	sessions *sessions
	topics   *topics
	workers  *workers
	watches  *watches
	nodes    *nodes
	acks     *acks
	// lattices are the documents of the session pool, presence tells which users are there, on all nodes.
	lattices   *replica.Set
	presence   *presence.Tracker
	unfinished unfinished
	// slowUntil is until when hello waits less for the store, in Unix milliseconds.
	slowUntil  atomic.Int64
	notified   notified
	asyncCount atomic.Int64
	// strangersUntil is until when there may be nodes that have not been heard of, in Unix milliseconds.
	strangersUntil atomic.Int64

	pendingCount atomic.Int64
	connCount    atomic.Int64
	// empty gets a token when the last connection has left.
	empty    chan struct{}
	draining atomic.Bool
	drained  atomic.Bool
	started  bool

	stop   sync.Once
	mu     sync.Mutex // guards undo and started
	undo   []func()
	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup
}

// NewPool returns a session pool that does nothing before Start.
func NewPool(name names.Pool, cfg Config, d Deps) (*Pool, error) {
	if d.Bus == nil || d.NextConn == nil || d.Destinations == nil || d.IDs == nil || d.Log == nil || d.Metrics == nil || d.Node == "" {
		return nil, errors.New("session pool: a dependency is missing")
	}
	d.Bus = countedBus{d.Bus, &d.Metrics.toNodes}
	p := &Pool{
		name:    name,
		deps:    d,
		log:     d.Log.With("pool", string(name)),
		backend: backend.NewCaller(d.Space, d.Destinations),
		group:   ws.NewGroup(),
		conns:   newRegistry(),
		topics:  newTopics(d.Metrics),
		workers: newWorkers(),
		empty:   make(chan struct{}, 1),
	}
	p.level.Store(int32(backend.LevelLatest))
	p.cfg.Store(&cfg)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.sessions = newSessions(&p.cfg)
	p.nodes = newNodes(d.Node, d.Space, sinceNow())
	p.acks = newAcks(p)
	p.watches = newWatches()
	var err error
	if p.lattices, err = p.newLattices(); err != nil {
		return nil, err
	}
	p.presence = p.newPresence()
	p.watches.follow, p.watches.unfollow = p.presence.Follow, p.presence.Unfollow
	return p, nil
}

// Name is the session pool's name.
func (p *Pool) Name() names.Pool { return p.name }

// Start takes up contact with the other nodes and starts the clocks. An error leaves nothing running.
func (p *Pool) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.deps.Space
	stop, err := p.deps.Bus.Intake([]string{
		s.Topics(), s.Conns(p.deps.Node), s.Users(), s.NodeRequests(p.deps.Node), s.Nodes(opBeat), s.Nodes(opViewers),
		s.Announcements(), s.Loads(),
	}, p.quick, p.intake)
	if err != nil {
		return err
	}
	p.undo = append(p.undo, stop)
	for subject, serve := range map[string]func(port.Message){
		s.Publishes(): p.servePublish, s.LatticeUpdates(): p.serveUpdate,
	} {
		if stop, err = p.deps.Bus.Serve(subject, names.NodeQueue, serve); err != nil {
			p.unwind()
			return err
		}
		p.undo = append(p.undo, stop)
	}
	if err := p.lattices.Start(ctx); err != nil {
		p.unwind()
		return err
	}
	p.presence.Start()
	p.started = true
	p.wg.Go(func() { p.finish(p.ctx) })
	p.undo = append(p.undo, p.startBeat())
	p.expectStrangers()
	p.wg.Go(func() { p.acks.run(p.ctx) })
	p.log.Debug("Session pool started")
	p.deps.Metrics.pools.Add(1)
	p.undo = append(p.undo, func() { p.deps.Metrics.pools.Add(-1) })
	return nil
}

// unwind undoes what Start did, backwards. The caller holds mu.
func (p *Pool) unwind() {
	for _, undo := range slices.Backward(p.undo) {
		undo()
	}
	p.undo = nil
}

// Apply changes the settings. Connections that exist keep the bounds of their outbox, their ping times and their
// frame limit.
func (p *Pool) Apply(cfg Config) {
	p.cfg.Store(&cfg)
	p.lattices.Apply(cfg.Replica)
}

// Gap tells that messages of other nodes were lost, or may have been: reason is "overflow" or "reconnect". It does not
// block.
func (p *Pool) Gap(reason string) {
	p.expectStrangers()
	p.lattices.Gap(reason)
	p.presence.Gap()
}

// expectStrangers says that nodes may live that have not been heard of, until each has had the time to beat.
func (p *Pool) expectStrangers() {
	p.strangersUntil.Store(nowMilli() + strangersFor.Milliseconds())
}

// Ready tells whether lattices and presence can keep their promises.
func (p *Pool) Ready() bool { return p.lattices.Ready() }

// Weak tells whether content types of API requests are not looked at, as the routes' compatibility wants it.
func (p *Pool) Weak() bool { return backend.Level(p.level.Load()).Weak() }

// Connections is the number of websockets, those being authorized included.
func (p *Pool) Connections() int64 { return p.connCount.Load() }

// admit reserves a place among the connections that are being authorized, to be given back by admitted; false when there
// is none.
func (p *Pool) admit() bool {
	if p.draining.Load() {
		return false
	}
	if p.pendingCount.Add(1) > int64(p.cfg.Load().MaxPending) {
		p.pendingCount.Add(-1)
		return false
	}
	return true
}

func (p *Pool) admitted() { p.pendingCount.Add(-1) }

// options are the bounds of a new connection.
func (p *Pool) options() ws.Options {
	cfg := p.cfg.Load()
	return ws.Options{
		MaxFrame:     cfg.MaxFrameSize,
		MaxOutBytes:  cfg.MaxOutgoingBytes,
		MaxOutFrames: cfg.MaxOutgoingFrames,
		WriteTimeout: cfg.WriteTimeout,
		PingInterval: cfg.PingInterval,
		PingTimeout:  cfg.PingTimeout,
		Counters:     p.deps.Metrics.WS,
		Group:        p.group,
	}
}

// enter registers a connection as pending: from now on backends may address it.
func (p *Pool) enter(h *Handler, w *ws.Conn, cancel context.CancelFunc) (*conn, *pending) {
	pend := &pending{cancel: cancel, max: p.cfg.Load().MaxPendingBytes}
	c := &conn{ws: w, handler: h, n: p.deps.NextConn()}
	c.pending.Store(pend)
	p.connCount.Add(1)
	p.deps.Metrics.connections.Add(1)
	p.conns.add(c)
	if p.draining.Load() {
		// Drain may have looked before we were there.
		c.close(closeGoingAway, reasonGoingAway)
	}
	return c, pend
}

// leave takes a connection out of everything. It is idempotent.
func (p *Pool) leave(c *conn) {
	c.mu.Lock()
	gone, subs, attached := c.gone, c.subs, c.attachments
	c.gone, c.subs, c.attachments, c.users = true, nil, nil, nil
	for _, a := range attached {
		a.over.Store(true)
	}
	c.mu.Unlock()
	if gone {
		return
	}
	for _, s := range subs {
		p.topics.remove(s)
	}
	for _, a := range attached {
		a.end()
	}
	p.conns.remove(c)
	p.watches.drop(c)
	if s := p.sessions.part(c); s != nil {
		p.watches.end(s)
		p.presence.Parted(s.user)
	}
	p.deps.Metrics.connections.Add(-1)
	if p.connCount.Add(-1) == 0 {
		p.tellEmpty()
	}
}

// left is told by the websocket that everything is over.
func (p *Pool) left(c *conn, code int, reason string) {
	p.leave(c)
	p.log.Debug("Connection closed", "conn", c.id().String(), "code", code, "reason", reason)
}

// Stop closes what is still open with 4001, as befits a session pool that was removed from the configuration, and
// returns when nothing of it runs any more, except that after a Drain it does not wait for clients a second time. A second Stop waits for the first.
func (p *Pool) Stop() { p.stop.Do(p.stopOnce) }

func (p *Pool) stopOnce() {
	p.draining.Store(true)
	if n := p.connCount.Load(); n > 0 {
		p.log.Info("Session pool is stopped", "connections", n)
	}
	for _, c := range p.conns.all() {
		c.close(closePoolStopped, reasonPoolStopped)
	}
	// From now on nothing may be answered in the name of this node: the session pool may be configured again.
	p.mu.Lock()
	p.unwind()
	started := p.started
	p.mu.Unlock()
	p.farewell()
	if !p.drained.Load() {
		p.awaitEmpty(time.After(stopTimeout))
	}
	if started {
		// What the last ones to leave have left to be written is written now.
		ctx, cancel := context.WithTimeout(p.ctx, answerTimeout)
		p.presence.Stop(ctx)
		cancel()
		p.lattices.Stop()
	}
	p.cancel()
	p.wg.Wait()
	p.workers.stop()
}

// stopTimeout bounds the wait for clients to answer a Close; the websocket layer has its own, shorter one.
const stopTimeout = 10 * time.Second

// awaitEmpty waits until no connection is left.
func (p *Pool) awaitEmpty(timeout <-chan time.Time) bool {
	for p.connCount.Load() > 0 {
		select {
		case <-p.empty:
		case <-timeout:
			return false
		}
	}
	p.tellEmpty()
	return true
}

// tellEmpty wakes one that waits for the last connection to leave; each who was woken wakes the next.
func (p *Pool) tellEmpty() {
	select {
	case p.empty <- struct{}{}:
	default:
	}
}

// Census counts the documents of lattices on this node; for inspection.
func (p *Pool) Census() replica.Census { return p.lattices.Census() }

// Neighbours is the number of other nodes that live.
func (p *Pool) Neighbours() int { return len(p.live()) }

// Stats fills the levels that only a session pool knows; for inspection.
func (p *Pool) Stats() (connections, sessions int) {
	return int(p.connCount.Load()), p.sessions.count()
}

// Config returns the settings of this moment. They must not be changed.
func (p *Pool) Config() *Config { return p.cfg.Load() }

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
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
)

// Pool is one session pool on this node: its connections, sessions and topics. All methods may be called concurrently;
// Start once, before any connection.
//
// Lock order: connection → session → deadlines; connection → topic shard or topic → pending → outbox. A shard's lock is
// given back before the lock of what was found in it is taken, locks of one rank are never held together, and no I/O and
// no NATS publish happens under any.
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
	notices  *notices
	nodes    *nodes
	acks     *acks

	pendingCount atomic.Int64
	connCount    atomic.Int64
	// empty gets a token when the last connection has left.
	empty    chan struct{}
	draining atomic.Bool
	drained  atomic.Bool

	stop   sync.Once
	mu     sync.Mutex // guards undo
	undo   []func()
	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup
}

var errTooManyNotices = errors.New("too many notices wait")

// NewPool returns a session pool that does nothing before Start.
func NewPool(name names.Pool, cfg Config, d Deps) (*Pool, error) {
	if d.Bus == nil || d.NextConn == nil || d.Destinations == nil || d.IDs == nil || d.Log == nil || d.Metrics == nil || d.Node == "" {
		return nil, errors.New("session pool: a dependency is missing")
	}
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
	p.sessions = newSessions(&p.cfg, d.Metrics, p.expired)
	p.nodes = newNodes(d.Node, p.sessions.now)
	p.acks = newAcks(p)
	p.notices = p.newNotices()
	return p, nil
}

// Name is the session pool's name.
func (p *Pool) Name() names.Pool { return p.name }

// Start takes up contact with the other nodes and starts the clocks. An error leaves nothing running.
func (p *Pool) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.deps.Space
	stop, err := p.deps.Bus.Intake([]string{
		s.Topics(), s.Conns(p.deps.Node), s.Users(), s.NodeRequests(p.deps.Node), s.Nodes(opBeat),
	}, p.intake)
	if err != nil {
		return err
	}
	p.undo = append(p.undo, stop)
	if stop, err = p.deps.Bus.Serve(s.Publishes(), publishQueue, p.servePublish); err != nil {
		p.unwind()
		return err
	}
	p.undo = append(p.undo, stop)
	p.wg.Go(func() { p.sessions.due.run(p.ctx, p.sessions.now, p.sessions.expire) })
	p.wg.Go(func() { p.notices.run(p.ctx) })
	p.wg.Go(func() { p.beat(p.ctx) })
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
func (p *Pool) Apply(cfg Config) { p.cfg.Store(&cfg) }

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
	gone, subs := c.gone, c.subs
	c.gone, c.subs = true, nil
	c.mu.Unlock()
	if gone {
		return
	}
	for _, s := range subs {
		p.topics.remove(s)
	}
	p.conns.remove(c)
	p.sessions.part(c)
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
	p.mu.Unlock()
	p.farewell()
	if !p.drained.Load() {
		p.awaitEmpty(time.After(stopTimeout))
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

// Stats fills the levels that only a session pool knows; for inspection.
func (p *Pool) Stats() (connections, sessions int) {
	return int(p.connCount.Load()), p.sessions.count()
}

// Config returns the settings of this moment. They must not be changed.
func (p *Pool) Config() *Config { return p.cfg.Load() }

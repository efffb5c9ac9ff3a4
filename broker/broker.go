package broker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Bounds that are no configuration keys.
const (
	settleTimeout = 2 * time.Second // for NATS at the start, and for the interest of a new intake to be known
	payloadRoom   = 64 << 10        // of the embedded server's payload limit beyond the largest body (decision D18)
)

// PoolLimit is what one session pool needs of the broker.
type PoolLimit struct {
	// Name of the session pool; its buckets and messages are named after it.
	Name names.Pool
	// MaxMessage is the largest body or frame that the pool allows, in bytes.
	MaxMessage int64
}

// Deps is what Open is given besides the configuration. Log and Node are required.
type Deps struct {
	// Log takes our own lines and those of the embedded server.
	Log *slog.Logger
	// Metrics takes the broker's metrics; nil: none are kept.
	Metrics prometheus.Registerer
	// Node names this process on NATS.
	Node names.NodeID
	// Pools lists the session pools that exist at the start.
	Pools []PoolLimit
	// Subjects lists the subjects of the NATS destinations, such as "rpc", below which backends may serve calls.
	Subjects []string
	// Mesh makes the embedded server one of a cluster (decision D45).
	Mesh MeshConfig
	// OnGap is told that messages of an intake were lost, or may have been: reason is "overflow" or "reconnect". It is
	// called from the broker's goroutines and must not block. May be nil.
	OnGap func(reason string)
}

// Broker is this node's part of the fabric. All methods may be called concurrently.
type Broker struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	bus    *link
	calls  *link
	flush  *flushGroup
	server *embedded // nil with an external cluster
	stores *stores
	m      *metrics

	reload sync.Mutex // guards deps.Pools and deps.Subjects, and is held during an update

	lookForBuckets chan struct{} // holds one token
	ctx            context.Context
	cancel         context.CancelFunc
	wg             sync.WaitGroup

	mu      sync.Mutex // guards the following
	intakes map[*intake]*link
	closed  bool
}

// Up tells whether both connections are there and all interest is known to the server.
func (b *Broker) Up() bool { return b.bus.up.Load() && b.calls.up.Load() }

// Prefix begins all subjects. It stays what it was at the start.
func (b *Broker) Prefix() string { return b.cfg.Prefix }

// MaxPayload is the largest message that may be sent, in bytes: what the connected server said, or before the first
// connection what the embedded one would have been given.
func (b *Broker) MaxPayload() int64 {
	if n := b.bus.maxPayload.Load(); n > 0 {
		return n
	}
	b.reload.Lock()
	defer b.reload.Unlock()
	return payloadFor(b.deps.Pools)
}

// Publish sends m on the ordered lane and does not wait. Errors: port.ErrUnavailable, port.ErrTooLarge.
func (b *Broker) Publish(m port.Message) error { return b.bus.publish(m) }

// Flush returns when the server has processed what was published before the call. Callers that wait at the same time
// share one round trip: one that arrives while a flush runs waits for the next. What was published on a connection that
// is lost by now is not spoken for: see Epoch.
func (b *Broker) Flush(ctx context.Context) error { return b.flush.wait(ctx) }

// Epoch changes with every connection of the ordered lane that takes the place of another, after a reconnect or a
// rebuild. When it is after a Flush what it was before a Publish, that Flush speaks for that message.
func (b *Broker) Epoch() uint64 { return b.bus.epoch() }

// Request sends m on a lane and waits for the first answer. Errors: port.ErrNoResponders, port.ErrUnavailable (not
// sent), port.ErrTooLarge, port.ErrTimeout (no answer in time, or the connection was lost meanwhile) or ctx's error.
func (b *Broker) Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error) {
	return b.lane(lane).request(ctx, m)
}

// NextRequest returns a number for one request by Start on a lane.
func (b *Broker) NextRequest(lane port.Lane) uint64 { return b.lane(lane).replies.next() }

// Start sends m on a lane and does not wait: done is called exactly once with the first answer, an error of Request, or
// context.Canceled after Cancel, on a goroutine that it must not block, perhaps before Start has returned, and never from
// within it. The number is NextRequest's. A deadline is noticed a little late. When Start returns an error, nothing was
// sent and done is not called. m.Header and m.Data may be reused when it returns or done is called.
func (b *Broker) Start(lane port.Lane, id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error {
	return b.lane(lane).start(id, m, deadline, done)
}

// Cancel ends a request by Start: its done is called before Cancel returns, or soon after when Start has not returned
// yet. A late answer is dropped. Without such a request under way it does nothing.
func (b *Broker) Cancel(lane port.Lane, id uint64) { b.lane(lane).replies.cancel(id) }

func (b *Broker) lane(lane port.Lane) *link {
	if lane == port.LaneOrdered {
		return b.bus
	}
	return b.calls
}

// Intake subscribes to all subjects on the bus and hands what arrives, in the order of arrival, to handle, one by one.
// When it returns, the interest is known to the server, unless NATS is away: then it is before Up is true again.
// The function must not block for long, or the newest messages are dropped and OnGap is called; stop must not be called
// from within it, and drops what waits.
//
// Unless nil, quick may take a message instead: it does so when it returns true, and is not always asked. It runs on the
// goroutine that reads from NATS, which spares a wake-up for each message: it must be fast, wait for nothing, not use the
// broker and keep nothing of the message. The two never run at the same time.
func (b *Broker) Intake(subjects []string, quick func(port.Message) bool, handle func(port.Message)) (stop func(), err error) {
	return b.take(b.bus, subjects, "", newIntake(quick, handle, b.gap, b.m))
}

// Serve answers requests of a subject as a member of a queue group, on the calls connection; handle's answers go out
// on the bus. Otherwise it is like Intake.
func (b *Broker) Serve(subject, queue string, handle func(port.Message)) (stop func(), err error) {
	return b.take(b.calls, []string{subject}, queue, newIntake(nil, handle, b.gap, b.m))
}

func (b *Broker) take(l *link, subjects []string, queue string, in *intake) (func(), error) {
	in.listenTo(subjects)
	if err := b.register(l, in); err != nil {
		return nil, err
	}
	for _, s := range subjects {
		if err := in.subscribe(l, s, queue); err != nil {
			b.unregister(l, in)
			return nil, fmt.Errorf("subscribe to %q: %w", s, err)
		}
	}
	l.settle()
	return sync.OnceFunc(func() { b.unregister(l, in) }), nil
}

func (b *Broker) register(l *link, in *intake) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("broker closed: %w", port.ErrUnavailable)
	}
	for other, of := range b.intakes {
		if of == l && in.overlaps(other) {
			in.shared.Store(true)
			other.shared.Store(true)
		}
	}
	b.intakes[in] = l
	l.tap.add(in)
	in.start()
	return nil
}

func (b *Broker) unregister(l *link, in *intake) {
	l.tap.remove(in)
	in.stop()
	b.mu.Lock()
	delete(b.intakes, in)
	b.mu.Unlock()
}

func (b *Broker) gap(reason string) {
	b.m.gaps.WithLabelValues(reason).Inc()
	b.deps.OnGap(reason)
}

// Close ends intakes, connections and the embedded server, and removes its temporary folder. What was published before
// is flushed first, for as long as ctx allows. A second call does nothing.
func (b *Broker) Close(ctx context.Context) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	open := maps.Clone(b.intakes)
	b.mu.Unlock()

	if b.bus.up.Load() {
		if err := b.Flush(ctx); err != nil {
			b.log.Warn("the last messages may not have reached nats", "err", err)
		}
	}
	for in, l := range open {
		b.unregister(l, in)
	}
	b.cancel()
	b.wg.Wait()
	b.bus.stop()
	b.calls.stop()
	if b.server != nil {
		b.server.stop()
	}
	b.m.unregister()
}

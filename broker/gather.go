package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of the answers that wait to be taken by gathered requests.
const (
	gatherCount = 8192     // messages, of one request
	gatherBytes = 64 << 20 // of all requests of a link
)

// RequestMany sends m on a lane and hands every answer, in the order of arrival, to each, which is called on the
// caller's goroutine and must not be slow. It returns nil when each returns false. Without that it goes on until ctx
// ends; what has arrived by then is still handed over. Errors are those of Request; port.ErrTooLarge also says that more
// answers waited than fit (8,192 of one request, 64 MiB of all of a lane), and port.ErrTimeout also that the connection
// was lost meanwhile.
func (b *Broker) RequestMany(ctx context.Context, lane port.Lane, m port.Message, each func(port.Message) (more bool)) error {
	if lane == port.LaneOrdered {
		return b.bus.gather(ctx, m, each)
	}
	return b.calls.gather(ctx, m, each)
}

// gathers takes the answers of one link's gathered requests. They have a subscription of their own, and are put down by
// the goroutine that reads from NATS, so that a thousand values from the store never hold up the answer to a call.
// Requests are numbered as in replies.
type gathers struct {
	prefix  string // of all reply subjects, ends with a dot
	answers chan *nats.Msg
	m       *metrics
	count   int // bounds; fields so that tests can lower them
	limit   int64

	mu    sync.Mutex // guards the following and all state of the requests
	last  uint64
	bytes int64 // that wait in all requests together
	open  map[uint64]*gather
}

// gather is one request under way.
type gather struct {
	id    uint64
	wake  chan struct{} // holds one token: queue or err has changed
	queue []*nats.Msg
	err   error // why no more will come
}

func newGathers(prefix string, m *metrics) *gathers {
	return &gathers{
		prefix: prefix, answers: make(chan *nats.Msg, intakeChan), m: m, count: gatherCount, limit: gatherBytes,
		open: map[uint64]*gather{},
	}
}

// poll puts the answers down where they belong. See tap.
func (gs *gathers) poll() {
	if len(gs.answers) == 0 {
		return
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for len(gs.answers) > 0 {
		gs.deliver(<-gs.answers)
	}
}

// deliver hands an answer to its request. Answers to requests that have ended are dropped. The caller holds mu.
func (gs *gathers) deliver(m *nats.Msg) {
	token, _ := strings.CutPrefix(m.Subject, gs.prefix)
	id, err := strconv.ParseUint(token, 36, 64)
	if err != nil {
		return
	}
	g := gs.open[id]
	if g == nil || g.err != nil {
		return
	}
	if len(g.queue) >= gs.count || gs.bytes+size(m) > gs.limit {
		gs.m.gathersCut.Inc()
		g.fail(fmt.Errorf("answers of one request: %w", port.ErrTooLarge))
		return
	}
	gs.bytes += size(m)
	g.queue = append(g.queue, m)
	g.tell()
}

// fail ends a request after what has arrived. The caller holds gathers.mu.
func (g *gather) fail(err error) {
	if g.err == nil {
		g.err = err
		g.tell()
	}
}

func (g *gather) tell() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// fail ends all requests under way: their answers can no longer arrive.
func (gs *gathers) fail() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.open {
		g.fail(fmt.Errorf("connection to nats lost: %w", port.ErrTimeout))
	}
}

func (gs *gathers) add() *gather {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.last++
	g := &gather{id: gs.last, wake: make(chan struct{}, 1)}
	gs.open[g.id] = g
	return g
}

// subject is where the answers to a request are awaited.
func (gs *gathers) subject(g *gather) string { return gs.prefix + strconv.FormatUint(g.id, 36) }

// remove forgets a request and what it has not taken.
func (gs *gathers) remove(g *gather) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.empty(g)
	delete(gs.open, g.id)
}

// take returns what has arrived and, when no more will come, why.
func (gs *gathers) take(g *gather) ([]*nats.Msg, error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	return gs.empty(g), g.err
}

// empty takes what a request has queued. The caller holds mu.
func (gs *gathers) empty(g *gather) []*nats.Msg {
	queue := g.queue
	g.queue = nil
	for _, m := range queue {
		gs.bytes -= size(m)
	}
	return queue
}

// gather sends m and hands its answers to each.
func (l *link) gather(ctx context.Context, m port.Message, each func(port.Message) bool) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	gs := l.gathers
	g := gs.add()
	defer gs.remove(g)
	m.Reply = gs.subject(g)
	if err := l.publish(m); err != nil {
		return err
	}
	for {
		var over error
		select {
		case <-g.wake:
		case <-ctx.Done():
			over = ended(ctx.Err())
		}
		batch, err := gs.take(g)
		for _, a := range batch {
			if len(a.Data) == 0 && a.Header.Get("Status") == "503" {
				return port.ErrNoResponders
			}
			if !each(message(a)) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if over != nil {
			return over
		}
	}
}

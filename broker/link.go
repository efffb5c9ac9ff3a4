package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Times of a link.
const (
	flushTimeout  = 5 * time.Second        // one round trip on a connection that is up
	retryPause    = 100 * time.Millisecond // between tries to reach a server, at first
	maxRetryPause = 5 * time.Second        // and at most, when the connection has to be made anew
	afterLoss     = 50 * time.Millisecond  // that the link stays down at least
	refusedPause  = 10 * time.Second       // between tries to subscribe where we have no permission
)

const (
	gapOverflow  = "overflow"
	gapReconnect = "reconnect"
)

// inboxRoot begins all reply subjects of nodes. It is no prefix of the libraries' "_INBOX.", under which backends
// listen, so that permissions keep the two apart.
const inboxRoot = "_INBOX_gateway"

// link is one connection to NATS that never ends: the client library reconnects, and where it gives up (it does so
// for good after certain protocol errors), the link makes a new connection with the same subscriptions.
type link struct {
	lane    port.Lane
	url     string
	options []nats.Option
	log     *slog.Logger
	m       *metrics
	gap     func(reason string)
	inspect func(nc *nats.Conn) // is shown each connection before the link is up
	onUp    func()
	replies *replies
	answers chan *nats.Msg
	gathers *gathers
	tap     tap

	conn       atomic.Pointer[nats.Conn] // nil before the first try
	builds     atomic.Uint64             // connections made anew; counted before conn changes
	up         atomic.Bool               // connected and all interest known; written under mu
	maxPayload atomic.Int64

	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{} // holds one token: keep has something to look at
	wg     sync.WaitGroup

	mu      sync.Mutex // guards the following
	gen     uint64     // counts losses: a round trip that spans one proves nothing
	lostAt  time.Time  // the last of them
	subs    map[*subscription]struct{}
	refused time.Time     // when the server forbade one of our subscriptions; zero: it did not
	wasUp   bool          // at least once
	changed chan struct{} // closed and replaced whenever up changes
}

// subscription is one interest of a link, carried over to each new connection.
type subscription struct {
	subject, queue string
	ch             chan *nats.Msg
	permanent      bool // of an intake: messages that are dropped are a gap

	link *link
	sub  *nats.Subscription // guarded by link.mu
}

// newLink prepares a link; open lets it go. The target says where to connect and as whom.
func newLink(lane port.Lane, urls []string, target []nats.Option, b *Broker) *link {
	prefix := inboxRoot + "." + rand.Text()[:16] + "." + lane.String()
	l := &link{
		lane: lane, url: strings.Join(urls, ","), log: b.log.With("lane", lane.String()), m: b.m, gap: b.gap,
		inspect: func(*nats.Conn) {},
		onUp:    func() {},
		replies: newReplies(prefix + ".q."),
		answers: make(chan *nats.Msg, intakeChan),
		gathers: newGathers(prefix+".g.", b.m),
		kick:    make(chan struct{}, 1),
		subs:    map[*subscription]struct{}{},
		changed: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.options = append([]nats.Option{
		nats.Name("swindon " + string(b.deps.Node) + " " + lane.String()),
		nats.CustomInboxPrefix(prefix),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(retryPause),
		nats.ReconnectJitter(retryPause, retryPause),
		// What cannot be sent fails at once. With a buffer, calls that were reported as failed would be carried out
		// after the reconnect.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(10 * time.Second),
		nats.Timeout(settleTimeout),
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(l.connected),
		nats.ReconnectHandler(l.connected),
		nats.DisconnectErrHandler(l.disconnected),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.log.Debug("nats is not reachable", "err", err) }),
		nats.ClosedHandler(l.closed),
		nats.ErrorHandler(l.asyncError),
	}, target...)
	if lane == port.LaneOrdered {
		// A node has served its own connections before it tells the others.
		l.options = append(l.options, nats.NoEcho())
		l.tap.sifts = true
	}
	l.options = append(l.options, l.tap.option)
	l.tap.add(l.gathers)
	l.subs[&subscription{subject: l.replies.prefix + "*", ch: l.answers, link: l}] = struct{}{}
	l.subs[&subscription{subject: l.gathers.prefix + "*", ch: l.gathers.answers, link: l}] = struct{}{}
	return l
}

func (l *link) open() {
	l.m.up.WithLabelValues(l.lane.String()).Set(0)
	l.m.disconnects.WithLabelValues(l.lane.String())
	l.m.rebuilds.WithLabelValues(l.lane.String())
	l.wg.Go(l.keep)
	l.wg.Go(l.hear)
}

// hear hands the answers to their requests.
func (l *link) hear() {
	for {
		select {
		case m := <-l.answers:
			l.replies.deliver(m)
		case <-l.ctx.Done():
			return
		}
		// What else has come: to look at one channel is cheaper than to wait at two.
		for range len(l.answers) {
			l.replies.deliver(<-l.answers)
		}
	}
}

// stop closes the connection; requests under way end.
func (l *link) stop() {
	l.cancel()
	l.wg.Wait()
	if nc := l.conn.Load(); nc != nil {
		nc.Close()
	}
	l.down()
	l.replies.fail()
	l.gathers.fail()
}

// publish sends m and does not wait.
func (l *link) publish(m port.Message) error {
	nc := l.conn.Load()
	if nc == nil || !l.up.Load() {
		return port.ErrUnavailable
	}
	if len(m.Subject)+len(m.Reply) > maxSubject {
		// The server would close the connection, for good.
		return fmt.Errorf("subject of %d bytes: %w", len(m.Subject)+len(m.Reply), port.ErrTooLarge)
	}
	msg := nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: nats.Header(m.Header), Data: m.Data}
	if err := nc.PublishMsg(&msg); err != nil {
		return sendError(err)
	}
	return nil
}

// maxSubject bounds subject and reply subject together, in bytes, far below the server's limit of 4,096 for a line.
const maxSubject = 2048

// sendError gives an error of the client library its meaning at the joint. All that is left of them says that the
// message did not go out whole, so that the server cannot have got it.
func sendError(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", port.ErrTooLarge, err)
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrBadHeaderMsg):
		return err
	}
	return fmt.Errorf("%w: %w", port.ErrUnavailable, err)
}

// roundTrip returns when the server has processed everything that was sent before.
func (l *link) roundTrip() error {
	nc := l.conn.Load()
	if nc == nil || !l.up.Load() {
		return port.ErrUnavailable
	}
	l.m.flushes.Inc()
	before := nc.Stats().Reconnects
	if err := l.ping(nc, flushTimeout); err != nil {
		return fmt.Errorf("flush: %w: %w", port.ErrUnavailable, err)
	}
	// While the connection is away the library keeps the ping and sends it on the next connection. Its answer says
	// nothing about what was sent on the lost one.
	if nc.Stats().Reconnects != before {
		return fmt.Errorf("flush: connection lost: %w", port.ErrUnavailable)
	}
	return nil
}

// epoch changes with every connection that takes the place of another. The library counts its reconnects before it lets
// anything be sent on the new connection.
func (l *link) epoch() uint64 {
	builds := l.builds.Load()
	nc := l.conn.Load()
	if nc == nil {
		return 0
	}
	return builds<<32 + nc.Stats().Reconnects
}

func (l *link) ping(nc *nats.Conn, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

// subscribe adds s for the life of the link.
func (l *link) subscribe(s *subscription) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.link = l
	if bad(s.subject) {
		return fmt.Errorf("subject %q: %w", s.subject, nats.ErrBadSubject)
	}
	if nc := l.conn.Load(); nc != nil && !nc.IsClosed() {
		if err := s.attach(nc); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
	}
	l.subs[s] = struct{}{}
	return nil
}

// bad tells whether a subject cannot be subscribed to: the library would tell only once there is a connection.
func bad(subject string) bool {
	return strings.ContainsAny(subject, " \t\r\n") || slices.Contains(strings.Split(subject, "."), "")
}

// attach subscribes on a connection. The caller holds link.mu.
func (s *subscription) attach(nc *nats.Conn) (err error) {
	s.sub, err = nc.ChanQueueSubscribe(s.subject, s.queue, s.ch)
	return err
}

// cancel ends a subscription.
func (s *subscription) cancel() {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	delete(s.link.subs, s)
	if s.sub != nil {
		// An error says that the connection is gone, and the interest with it.
		_ = s.sub.Unsubscribe()
	}
}

// settle returns when the server knows all interest; if that cannot be had soon, the link is no longer up.
func (l *link) settle() {
	nc := l.conn.Load()
	if nc == nil || !l.up.Load() {
		return
	}
	if err := l.ping(nc, settleTimeout); err != nil {
		l.down()
		l.wakeKeeper()
	}
}

package broker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// await returns when the link's state is up.
func await(t *testing.T, l *link, up bool) {
	t.Helper()
	c := ctx(t)
	for {
		l.mu.Lock()
		now, changed := l.up.Load(), l.changed
		l.mu.Unlock()
		if now == up {
			return
		}
		select {
		case <-changed:
		case <-c.Done():
			t.Fatalf("%v link never became up=%v", l.lane, up)
		}
	}
}

func awaitBoth(t *testing.T, b *Broker, up bool) {
	t.Helper()
	await(t, b.bus, up)
	await(t, b.calls, up)
}

// TestReconnect: while an external server is away everything fails at once and nothing is kept for later; when it is
// back, so is all interest.
func TestReconnect(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	_, tcpPort, err := splitAddress(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL = []string{srv.ClientURL()}
	gaps := make(chan string, 10)
	deps := testDeps(t)
	deps.OnGap = func(reason string) { gaps <- reason }
	b := open(t, cfg, deps)
	deps.Node, deps.OnGap = otherNode, nil
	other := open(t, cfg, deps)

	heard := make(chan string, 100)
	stop, err := b.Intake([]string{"sw.main.top.>"}, quickly(heard), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	asked := make(chan port.Message, 10)
	stop, err = b.Serve("sw.main.api.x", names.NodeQueue, func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)

	underWay := make(chan error, 1)
	go func() {
		_, err := other.Request(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.api.x"})
		underWay <- err
	}()
	<-asked
	ended := make(chan error, 10)
	done := func(_ port.Message, err error) { ended <- err }
	if err := other.Start(port.LaneCalls, other.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.api.x"}, time.Now().Add(time.Hour), done); err != nil {
		t.Fatal(err)
	}
	<-asked
	srv.Shutdown()
	srv.WaitForShutdown()
	if err := <-underWay; !errors.Is(err, port.ErrTimeout) {
		t.Errorf("request under way: %v", err)
	}
	if err := <-ended; !errors.Is(err, port.ErrTimeout) {
		t.Errorf("started request under way: %v", err)
	}
	awaitBoth(t, b, false)
	awaitBoth(t, other, false)
	if b.Up() {
		t.Error("still up")
	}
	if err := other.Publish(port.Message{Subject: "sw.main.top.x", Data: []byte("lost")}); !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("Publish while away: %v", err)
	}
	if err := other.Flush(ctx(t)); !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("Flush while away: %v", err)
	}
	for _, lane := range []port.Lane{port.LaneCalls, port.LaneOrdered} {
		if _, err := other.Request(ctx(t), lane, port.Message{Subject: "sw.main.api.x"}); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Request while away: %v", err)
		}
		err := other.Start(lane, other.NextRequest(lane), port.Message{Subject: "sw.main.api.x"}, time.Now().Add(time.Hour), done)
		if !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Start while away: %v", err)
		}
	}
	// What is subscribed to meanwhile counts too.
	late := make(chan string, 100)
	stop, err = b.Intake([]string{"sw.main.user.>"}, nil, func(m port.Message) { late <- string(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)

	external(t, tcpPort)
	awaitBoth(t, b, true)
	awaitBoth(t, other, true)
	for _, s := range []string{"sw.main.top.x", "sw.main.user.u.kick"} {
		if err := other.Publish(port.Message{Subject: s, Data: []byte("after")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-heard; got != "after" {
		t.Errorf("heard %q", got)
	}
	if got := <-late; got != "after" {
		t.Errorf("heard %q", got)
	}
	if err := other.Flush(ctx(t)); err != nil {
		t.Error(err)
	}
	go func() { _, _ = other.Request(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.api.x"}) }()
	m := <-asked
	if err := b.Publish(port.Message{Subject: m.Reply}); err != nil {
		t.Error(err)
	}
	if len(asked) > 0 || len(heard) > 0 || len(ended) > 0 {
		t.Error("something from the time away was kept")
	}
	// Each of the two connections was a gap.
	for range 2 {
		if r := <-gaps; r != gapReconnect {
			t.Errorf("gap: %s", r)
		}
	}
}

// TestAwayAtStart: the node starts, and is up when the server is there, with all interest (decision D44).
func TestAwayAtStart(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	addr := srv.Addr().String()
	srv.Shutdown()
	srv.WaitForShutdown()

	cfg := DefaultConfig()
	cfg.URL = []string{"nats://" + addr}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := Open(short, cfg, testDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.WithoutCancel(t.Context())) })
	if b.Up() {
		t.Error("up without a server")
	}
	heard := make(chan string, 1)
	stop, err := b.Intake([]string{"sw.main.top.>"}, quickly(heard), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := b.Publish(port.Message{Subject: "sw.main.top.x"}); !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("Publish: %v", err)
	}
	_, p, err := splitAddress(addr)
	if err != nil {
		t.Fatal(err)
	}
	srv = external(t, p)
	awaitBoth(t, b, true)
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("sw.main.top.x", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "hello" {
		t.Errorf("heard %q", got)
	}
}

// quickly puts down what arrives on the goroutine that reads it.
func quickly(heard chan<- string) func(port.Message) bool {
	return func(m port.Message) bool {
		heard <- string(m.Data)
		return true
	}
}

// TestClosedForGood: where the client library gives up a connection, a new one takes its place with all interest.
func TestClosedForGood(t *testing.T) {
	t.Parallel()
	a := open(t, listening(), testDeps(t))
	deps := testDeps(t)
	deps.Node = otherNode
	b := open(t, asGateway(a), deps)
	heard := make(chan string, 10)
	stop, err := a.Intake([]string{"sw.main.top.>"}, quickly(heard), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	stop, err = a.Serve("sw.main.api.x", names.NodeQueue, func(m port.Message) {
		if err := a.Publish(port.Message{Subject: m.Reply}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for _, l := range []*link{a.bus, a.calls} {
		old := l.conn.Load()
		// A line beyond the server's limit is what makes the library close the connection and not come back.
		if err := old.Publish(strings.Repeat("x", 5000), nil); err != nil {
			t.Fatal(err)
		}
		await(t, l, false)
		await(t, l, true)
		if !old.IsClosed() || l.conn.Load() == old {
			t.Errorf("%v: the old connection is closed=%v, in use=%v", l.lane, old.IsClosed(), l.conn.Load() == old)
		}
		if n := count(t, a.m.rebuilds.WithLabelValues(l.lane.String())); n != 1 {
			t.Errorf("%v: counted %v rebuilds", l.lane, n)
		}
	}
	if err := b.Publish(port.Message{Subject: "sw.main.top.x", Data: []byte("again")}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "again" {
		t.Errorf("heard %q", got)
	}
	for _, from := range []*Broker{a, b} {
		if _, err := from.Request(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.api.x"}); err != nil {
			t.Errorf("Request: %v", err)
		}
	}
	if err := a.Flush(ctx(t)); err != nil {
		t.Error(err)
	}
	// The link itself refuses what would close it.
	err = a.Publish(port.Message{Subject: "sw.main.top." + strings.Repeat("x", maxSubject)})
	if !errors.Is(err, port.ErrTooLarge) || !a.Up() {
		t.Errorf("long subject: %v, up %v", err, a.Up())
	}
}

// logBuffer is a log that tests can read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestRefusedInterest: where the server forbids our interest, the node is not up, and says so.
func TestRefusedInterest(t *testing.T) {
	t.Parallel()
	a := open(t, listening(), testDeps(t))
	var log logBuffer
	deps := testDeps(t)
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg := DefaultConfig()
	cfg.URL = []string{a.server.srv.ClientURL()} // as a backend, which may not do what a node must
	b, err := Open(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.WithoutCancel(t.Context())) })
	awaitBoth(t, b, false)
	if b.Up() {
		t.Error("up without its interest")
	}
	if !strings.Contains(log.String(), "permissions are too narrow") {
		t.Errorf("the log does not say so:\n%s", log.String())
	}
}

// TestSmallServer: an external server's limit counts, and its being too small is said (decision D18).
func TestSmallServer(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	var log logBuffer
	deps := testDeps(t)
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg := DefaultConfig()
	cfg.URL = []string{srv.ClientURL()}
	b := open(t, cfg, deps)
	if n := b.MaxPayload(); n != server.MAX_PAYLOAD_SIZE {
		t.Errorf("MaxPayload %d", n)
	}
	if !strings.Contains(log.String(), "pool=main limit=10485760 max_payload=1048576") {
		t.Errorf("the log does not say so:\n%s", log.String())
	}
}

// TestSlowConsumer: what the library drops before our own queue is a gap of an intake too, but not of anything else.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	gaps := make(chan string, 10)
	deps := testDeps(t)
	deps.OnGap = func(reason string) { gaps <- reason }
	b := open(t, DefaultConfig(), deps)
	in := newIntake(nil, func(port.Message) {}, b.gap, b.m) // its goroutine does not run, so that the channel fills
	if err := in.subscribe(b.calls, "sw.main.top.x", ""); err != nil {
		t.Fatal(err)
	}
	b.calls.settle()
	t.Cleanup(in.stop)
	for range intakeChan + 10 {
		if err := b.Publish(port.Message{Subject: "sw.main.top.x"}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case reason := <-gaps:
		if reason != gapOverflow {
			t.Errorf("gap: %s", reason)
		}
	case <-ctx(t).Done():
		t.Fatal("nobody was told")
	}
	if n := count(t, b.m.errors.WithLabelValues("slow_consumer")); n != 1 {
		t.Errorf("counted %v", n)
	}
	b.bus.asyncError(b.bus.conn.Load(), nil, nats.ErrSlowConsumer)
	if len(gaps) > 0 {
		t.Error("a gap of no intake")
	}
}

package broker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// empty says that nothing is left of a link's gathered requests.
func empty(t *testing.T, l *link) {
	t.Helper()
	l.gathers.mu.Lock()
	defer l.gathers.mu.Unlock()
	if len(l.gathers.open) > 0 || l.gathers.bytes != 0 {
		t.Errorf("%v: left: %d requests, %d bytes", l.lane, len(l.gathers.open), l.gathers.bytes)
	}
}

// TestGatherLost: a gathered request ends with its connection, after what had arrived, and is possible again on the next
// one.
func TestGatherLost(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	_, tcpPort, err := splitAddress(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL = []string{srv.ClientURL()}
	b := open(t, cfg, testDeps(t))
	deps := testDeps(t)
	deps.Node = otherNode
	other := open(t, cfg, deps)
	answerAs(t, other, "sw.main.nodes.ping", "one")
	m := port.Message{Subject: "sw.main.nodes.ping"}

	type result struct {
		got []string
		err error
	}
	results := map[port.Lane]chan result{port.LaneCalls: make(chan result, 1), port.LaneOrdered: make(chan result, 1)}
	arrived := make(chan struct{}, 2)
	for lane, done := range results {
		go func() {
			var got []string
			err := b.RequestMany(ctx(t), lane, m, func(m port.Message) bool {
				got = append(got, string(m.Data))
				arrived <- struct{}{}
				return true
			})
			done <- result{got, err}
		}()
	}
	<-arrived
	<-arrived
	subs := b.calls.conn.Load().NumSubscriptions() + b.bus.conn.Load().NumSubscriptions()
	srv.Shutdown()
	srv.WaitForShutdown()
	for lane, done := range results {
		if r := <-done; !errors.Is(r.err, port.ErrTimeout) || errors.Is(r.err, context.DeadlineExceeded) || !slices.Equal(r.got, []string{"one"}) {
			t.Errorf("%v: %q, %v", lane, r.got, r.err)
		}
	}
	awaitBoth(t, b, false)
	for lane := range results {
		err := b.RequestMany(ctx(t), lane, m, func(port.Message) bool { return true })
		if !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("%v while away: %v", lane, err)
		}
	}
	empty(t, b.calls)
	empty(t, b.bus)

	external(t, tcpPort)
	awaitBoth(t, b, true)
	awaitBoth(t, other, true)
	for lane := range results {
		if err := b.RequestMany(ctx(t), lane, m, func(port.Message) bool { return false }); err != nil {
			t.Errorf("%v afterwards: %v", lane, err)
		}
	}
	if now := b.calls.conn.Load().NumSubscriptions() + b.bus.conn.Load().NumSubscriptions(); now != subs {
		t.Errorf("%d subscriptions, before there were %d", now, subs)
	}
}

// TestGatherLeavesNothing: however a gathered request ends, no memory and no subscription stays.
func TestGatherLeavesNothing(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	stop, err := b.Serve("sw.main.nodes.ping", "", func(m port.Message) {
		for range 100 {
			if err := b.Publish(port.Message{Subject: m.Reply, Data: make([]byte, 1000)}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	subs := b.calls.conn.Load().NumSubscriptions()
	for i := range 50 {
		n := 0
		err := b.RequestMany(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.nodes.ping"}, func(port.Message) bool {
			n++
			return n <= i // some answers are on their way when it ends
		})
		if err != nil {
			t.Fatal(err)
		}
		c, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err = b.RequestMany(c, port.LaneCalls, port.Message{Subject: "sw.main.nodes.ping"}, func(port.Message) bool { return true })
		cancel()
		if !errors.Is(err, port.ErrTimeout) {
			t.Fatal(err)
		}
	}
	empty(t, b.calls)
	if now := b.calls.conn.Load().NumSubscriptions(); now != subs {
		t.Errorf("%d subscriptions, before there were %d", now, subs)
	}
}

// TestGatherBounds: bytes are counted over all requests of a link, and the request that passes a bound ends.
func TestGatherBounds(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	gs := newGathers("i.g.", m)
	gs.count, gs.limit = 3, 2000
	put := func(g *gather, bytes int) {
		gs.deliver(&nats.Msg{Subject: gs.subject(g), Data: make([]byte, bytes)})
	}
	expect := func(what string, g *gather, n int, want error) {
		t.Helper()
		got, err := gs.take(g)
		if len(got) != n || !errors.Is(err, want) {
			t.Errorf("%s: %d answers, %v, want %d, %v", what, len(got), err, n, want)
		}
	}
	many, large, small := gs.add(), gs.add(), gs.add()
	for range 4 {
		put(many, 0)
	}
	put(many, 0) // it has ended
	expect("too many", many, 3, port.ErrTooLarge)
	put(large, 1000)
	put(small, 100)
	put(large, 1000)
	expect("too large together", large, 1, port.ErrTooLarge)
	put(small, 1000) // what was taken makes room
	expect("room again", small, 2, nil)
	if n := count(t, m.gathersCut); n != 2 {
		t.Errorf("counted %v", n)
	}
	put(small, 10)
	for _, g := range []*gather{many, large, small} {
		gs.remove(g)
	}
	put(small, 10) // too late
	for _, subject := range []string{"i.g.", "i.g.-", "other", "i.g.zzzzzzzzzzzzzzzzzzzzz"} {
		gs.deliver(&nats.Msg{Subject: subject})
	}
	if len(gs.open) != 0 || gs.bytes != 0 {
		t.Errorf("left: %d requests, %d bytes", len(gs.open), gs.bytes)
	}
}

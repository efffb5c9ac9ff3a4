package brokertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/swindon-go/swindon/internal/port"
)

// testOrder: what one node sends on several subjects arrives in the order of sending, all of it, once.
func testOrder(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>", "sw.main.conn.x.>", "sw.main.user.>")
	subjects := []string{"sw.main.top.red", "sw.main.conn.x.1.sub", "sw.main.user.u.kick", "sw.main.top.blue"}
	const n = 2000
	for i := range n {
		publish(t, a, subjects[i%len(subjects)], strconv.Itoa(i))
	}
	for i := range n {
		m := next(t, got)
		if string(m.Data) != strconv.Itoa(i) || m.Subject != subjects[i%len(subjects)] {
			t.Fatalf("message %d is %s %q", i, m.Subject, m.Data)
		}
	}
	nothingMore(t, a, "sw.main.top.red", got)
}

// testOwnNotHeard: a node does not hear on its intake what it publishes itself.
func testOwnNotHeard(t *testing.T, a, b Bus) {
	t.Helper()
	mine, theirs := hear(t, a, "sw.main.top.>"), hear(t, b, "sw.main.top.>")
	publish(t, a, "sw.main.top.x", "from a")
	if m := next(t, theirs); string(m.Data) != "from a" {
		t.Errorf("b heard %q", m.Data)
	}
	publish(t, b, "sw.main.top.x", "from b")
	if m := next(t, mine); string(m.Data) != "from b" {
		t.Errorf("a heard its own: %q", m.Data)
	}
	nothingMore(t, b, "sw.main.top.x", mine)
}

// testFilter: an intake hears what its wildcards match and nothing else.
func testFilter(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>", "sw.main.node.*.ping")
	for _, s := range []string{
		"sw.main.top", "sw.other.top.x", "sw.main.topics.x", "sw.main.node.ping", "sw.main.node.a.b.ping",
		"sw.main.node.a.pong", "sw.main.top.a", "sw.main.top.a.b.c", "sw.main.node.a.ping",
	} {
		publish(t, a, s, "")
	}
	var subjects []string
	for range 3 {
		subjects = append(subjects, next(t, got).Subject)
	}
	want := []string{"sw.main.top.a", "sw.main.top.a.b.c", "sw.main.node.a.ping"}
	if !slices.Equal(want, subjects) {
		t.Errorf("heard %v, want %v", subjects, want)
	}
	nothingMore(t, a, "sw.main.top.end", got)
}

// testDataReused: the sender may overwrite its buffer when Publish has returned.
func testDataReused(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>")
	buf := []byte("first")
	for _, s := range []string{"first", "2.nd.", "third"} {
		copy(buf, s)
		if err := a.Publish(port.Message{Subject: "sw.main.top.x", Data: buf}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"first", "2.nd.", "third"} {
		if m := next(t, got); string(m.Data) != want {
			t.Errorf("got %q, want %q", m.Data, want)
		}
	}
}

// testHeaders: headers arrive as they were sent, and a message without any has none.
func testHeaders(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>")
	h := port.Header{port.HeaderNode: {"n1"}, "X-Two": {"a", "b"}}
	if err := a.Publish(port.Message{Subject: "sw.main.top.x", Header: h, Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	publish(t, a, "sw.main.top.x", "plain")
	if m := next(t, got); !maps.EqualFunc(h, m.Header, slices.Equal) {
		t.Errorf("headers %v, want %v", m.Header, h)
	}
	if m := next(t, got); len(m.Header) != 0 {
		t.Errorf("headers out of nothing: %v", m.Header)
	}
}

// testStopEnds: when stop has returned, the handler is not called again; others go on.
func testStopEnds(t *testing.T, a, b Bus) {
	t.Helper()
	other := hear(t, b, "sw.main.top.>")
	var mu sync.Mutex
	stopped := false
	heard := make(chan struct{}, 10000)
	stop, err := b.Intake([]string{"sw.main.top.>"}, nil, func(port.Message) {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			t.Error("handler called after stop")
		}
		heard <- struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	var sent sync.WaitGroup
	sent.Go(func() {
		for i := range 5000 {
			publish(t, a, "sw.main.top.x", "xx"[i%2:]) // quick takes the one and not the other
		}
	})
	<-heard
	stop()
	mu.Lock()
	stopped = true
	mu.Unlock()
	sent.Wait()
	for range 5000 {
		next(t, other)
	}
	stop() // a second time does nothing
}

func testBadSubject(t *testing.T, a, b Bus) {
	t.Helper()
	for _, s := range []string{"", "a b", "a\r\nPUB x 0", "a\tb"} {
		if err := a.Publish(port.Message{Subject: s}); err == nil || errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Publish to %q: %v", s, err)
		}
		if _, err := a.Request(wait(t), port.LaneCalls, port.Message{Subject: s}); err == nil {
			t.Errorf("Request to %q was accepted", s)
		}
		if stop, err := b.Intake([]string{s}, nil, func(port.Message) {}); err == nil {
			stop()
			t.Errorf("Intake of %q was accepted", s)
		}
	}
	for _, s := range []string{"a..b", ".a", "a.", ".>"} {
		if stop, err := b.Intake([]string{"sw.main.top.>", s}, nil, func(port.Message) {}); err == nil {
			stop()
			t.Errorf("Intake of %q was accepted", s)
		}
	}
	if !a.Up() {
		t.Error("a bad subject took the node down")
	}
}

// testTooLarge: the largest message passes, one byte more is refused.
func testTooLarge(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>")
	big := strings.Repeat("x", int(a.MaxPayload()))
	publish(t, a, "sw.main.top.x", big)
	if m := next(t, got); len(m.Data) != len(big) {
		t.Errorf("%d bytes arrived, not %d", len(m.Data), len(big))
	}
	big += "x"
	if err := a.Publish(port.Message{Subject: "sw.main.top.x", Data: []byte(big)}); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("Publish: %v", err)
	}
	m := port.Message{Subject: "sw.main.rpc.x", Data: []byte(big)}
	if _, err := a.Request(wait(t), port.LaneCalls, m); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("Request: %v", err)
	}
	nothingMore(t, a, "sw.main.top.x", got)
}

func testFlushShared(t *testing.T, a, b Bus) {
	t.Helper()
	got := hear(t, b, "sw.main.top.>")
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 10 {
				publish(t, a, "sw.main.top.x", "x")
				if err := a.Flush(wait(t)); err != nil {
					t.Errorf("Flush: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for range 640 {
		next(t, got)
	}
	nothingMore(t, a, "sw.main.top.x", got)
}

func testFlushCancelled(t *testing.T, a, _ Bus) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush: %v", err)
	}
	if err := a.Flush(wait(t)); err != nil {
		t.Errorf("Flush afterwards: %v", err)
	}
}

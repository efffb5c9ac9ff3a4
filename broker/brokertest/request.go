package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// testAnswers: of many requests at once, each gets its own answer, on both lanes.
func testAnswers(t *testing.T, a, b Bus) {
	t.Helper()
	answer(t, b, "sw.main.rpc.echo", "re ")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				lane := []port.Lane{port.LaneCalls, port.LaneOrdered}[j%2]
				ask := fmt.Sprint(i, " ", j)
				m, err := a.Request(wait(t), lane, port.Message{
					Subject: "sw.main.rpc.echo", Header: port.Header{port.HeaderAttempt: {ask}}, Data: []byte(ask),
				})
				if err != nil || string(m.Data) != "re "+ask || m.Header.Get(port.HeaderAttempt) != ask {
					t.Errorf("Request %q: %q, %v, %v", ask, m.Data, m.Header, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// testQueueGroup: each request is executed by exactly one member of the group.
func testQueueGroup(t *testing.T, a, b Bus) {
	t.Helper()
	var first, second atomic.Int64
	for _, s := range []struct {
		bus   Bus
		count *atomic.Int64
	}{{a, &first}, {b, &second}} {
		stop, err := s.bus.Serve("sw.main.pub.>", "gw", func(m port.Message) {
			s.count.Add(1)
			if err := s.bus.Publish(port.Message{Subject: m.Reply}); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	const n = 400
	for range n {
		if _, err := a.Request(wait(t), port.LaneCalls, port.Message{Subject: "sw.main.pub.x"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := first.Load() + second.Load(); got != n {
		t.Errorf("executed %d times, not %d", got, n)
	}
	if second.Load() == 0 {
		t.Error("the second member never got one")
	}
}

// testOrderedRequest: a request on the ordered lane comes after what the same node published before, at one intake.
func testOrderedRequest(t *testing.T, a, b Bus) {
	t.Helper()
	heard := 0 // only in the handler, and after the answer
	stop, err := b.Intake([]string{"sw.main.top.>", "sw.main.conn.n.>"}, nil, func(m port.Message) {
		if m.Reply == "" {
			heard++
			return
		}
		if err := b.Publish(port.Message{Subject: m.Reply, Data: fmt.Append(nil, heard)}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for i := 1; i <= 50; i++ {
		publish(t, a, "sw.main.top.x", "x")
		m, err := a.Request(wait(t), port.LaneOrdered, port.Message{Subject: "sw.main.conn.n.1.sub"})
		if err != nil || string(m.Data) != strconv.Itoa(i) {
			t.Fatalf("after %d messages: %q, %v", i, m.Data, err)
		}
	}
}

func testNoResponders(t *testing.T, a, b Bus) {
	t.Helper()
	for _, lane := range []port.Lane{port.LaneCalls, port.LaneOrdered} {
		_, err := a.Request(wait(t), lane, port.Message{Subject: "sw.main.rpc.nobody", Data: []byte("x")})
		if !errors.Is(err, port.ErrNoResponders) {
			t.Errorf("lane %v: %v", lane, err)
		}
	}
	// An answer that is empty is an answer.
	stop, err := b.Serve("sw.main.rpc.empty", "q", func(m port.Message) { publish(t, b, m.Reply, "") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Request(wait(t), port.LaneCalls, port.Message{Subject: "sw.main.rpc.empty"}); err != nil {
		t.Errorf("empty answer: %v", err)
	}
	// Who has stopped to serve is gone.
	stop()
	if err := b.Flush(wait(t)); err != nil {
		t.Fatal(err)
	}
	if !eventuallyNoResponders(t, a, "sw.main.rpc.empty") {
		t.Error("the subject still has a responder")
	}
}

// eventuallyNoResponders asks until nobody listens: the end of an interest has no acknowledgement.
func eventuallyNoResponders(t *testing.T, a Bus, subject string) bool {
	t.Helper()
	ctx := wait(t)
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		_, err := a.Request(short, port.LaneCalls, port.Message{Subject: subject})
		cancel()
		if errors.Is(err, port.ErrNoResponders) {
			return true
		}
	}
	return false
}

// testTimeout: a request ends with its context, and says which way.
func testTimeout(t *testing.T, a, b Bus) {
	t.Helper()
	got := make(chan port.Message, 10)
	stop, err := b.Serve("sw.main.rpc.silent", "q", func(m port.Message) { got <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.rpc.silent"})
	if !errors.Is(err, port.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	next(t, got)

	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.Request(ctx, port.LaneOrdered, port.Message{Subject: "sw.main.rpc.silent"})
		done <- err
	}()
	next(t, got)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, port.ErrTimeout) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.rpc.silent"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	select {
	case <-got:
		t.Error("a request that was cancelled before was sent")
	default:
	}
}

// testLateAnswer: an answer that comes after the request has ended is nobody's; so is a second one.
func testLateAnswer(t *testing.T, a, b Bus) {
	t.Helper()
	asked := make(chan port.Message, 10)
	stop, err := b.Serve("sw.main.rpc.late", "q", func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.rpc.late"})
		done <- err
	}()
	first := next(t, asked)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	result := make(chan string, 1)
	go func() {
		m, err := a.Request(wait(t), port.LaneCalls, port.Message{Subject: "sw.main.rpc.late"})
		result <- fmt.Sprint(string(m.Data), err)
	}()
	second := next(t, asked)
	publish(t, b, first.Reply, "late")
	publish(t, b, second.Reply, "right")
	publish(t, b, second.Reply, "second")
	if got := <-result; got != "right<nil>" {
		t.Errorf("got %s", got)
	}
}

// testSlowHandler: while a handler is busy, its messages wait in their order and others are served.
func testSlowHandler(t *testing.T, a, b Bus) {
	t.Helper()
	release := make(chan struct{})
	slow := make(chan string, 200)
	stop, err := b.Intake([]string{"sw.main.top.slow"}, nil, func(m port.Message) {
		<-release
		slow <- string(m.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	fast := hear(t, b, "sw.main.top.fast")
	for i := range 100 {
		publish(t, a, "sw.main.top.slow", strconv.Itoa(i))
		publish(t, a, "sw.main.top.fast", strconv.Itoa(i))
	}
	for i := range 100 {
		if m := next(t, fast); string(m.Data) != strconv.Itoa(i) {
			t.Fatalf("fast message %d is %q", i, m.Data)
		}
	}
	close(release)
	for i := range 100 {
		if got := <-slow; got != strconv.Itoa(i) {
			t.Fatalf("slow message %d is %q", i, got)
		}
	}
}

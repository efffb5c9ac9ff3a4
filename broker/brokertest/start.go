package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// outcome is what the completion of a request was told.
type outcome struct {
	m   port.Message
	err error
}

// completion returns a function for Start that takes a lock which the caller of Start holds, so that a completion from
// within Start would never end, and the channel where its outcomes arrive: all of them, if it were called twice.
func completion(held sync.Locker) (func(port.Message, error), <-chan outcome) {
	got := make(chan outcome, 10)
	return func(m port.Message, err error) {
		held.Lock()
		defer held.Unlock()
		got <- outcome{m, err}
	}, got
}

func start(t *testing.T, b Bus, lane port.Lane, m port.Message, patience time.Duration) <-chan outcome {
	t.Helper()
	var mu sync.Mutex
	done, got := completion(&mu)
	mu.Lock()
	defer mu.Unlock()
	if err := b.Start(lane, b.NextRequest(lane), m, time.Now().Add(patience), done); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return got
}

func ending(t *testing.T, got <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-got:
		return o
	case <-wait(t).Done():
		t.Fatal("the completion was not called")
		return outcome{}
	}
}

// testStart: of many requests that nobody waits for, each gets its own answer once, on both lanes, and what they were
// made of may be used again at once. A completion may start the next request.
func testStart(t *testing.T, a, b Bus) {
	t.Helper()
	answer(t, b, "sw.main.rpc.echo", "re ")
	const n = 500
	value, data := []string{""}, []byte{}
	header := port.Header{port.HeaderAttempt: value}
	got := make([]<-chan outcome, n)
	for i := range n {
		value[0], data = strconv.Itoa(i), strconv.AppendInt(data[:0], int64(i), 10)
		lane := []port.Lane{port.LaneCalls, port.LaneOrdered}[i%2]
		got[i] = start(t, a, lane, port.Message{Subject: "sw.main.rpc.echo", Header: header, Data: data}, patience)
	}
	for i := range n {
		o := ending(t, got[i])
		if o.err != nil || string(o.m.Data) != fmt.Sprint("re ", i) || o.m.Header.Get(port.HeaderAttempt) != strconv.Itoa(i) {
			t.Errorf("request %d: %q, %v, %v", i, o.m.Data, o.m.Header, o.err)
		}
	}
	next := make(chan error, 1)
	err := a.Start(port.LaneCalls, a.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.rpc.echo"}, time.Now().Add(patience), func(port.Message, error) {
		err := a.Start(port.LaneCalls, a.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.rpc.echo"}, time.Now().Add(patience),
			func(_ port.Message, err error) { next <- err })
		if err != nil {
			next <- err
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := ending(t, wrap(next)); o.err != nil {
		t.Errorf("a request of a completion: %v", o.err)
	}
	for i := range n {
		if len(got[i]) > 0 {
			t.Errorf("the completion of request %d was called again", i)
		}
	}
}

// wrap makes outcomes of errors.
func wrap(errs <-chan error) <-chan outcome {
	got := make(chan outcome, 1)
	go func() { got <- outcome{err: <-errs} }()
	return got
}

// testStartFails: a request that nobody gets ends by its completion, one that cannot be sent by an error of Start.
func testStartFails(t *testing.T, a, b Bus) {
	t.Helper()
	for _, lane := range []port.Lane{port.LaneCalls, port.LaneOrdered} {
		got := start(t, a, lane, port.Message{Subject: "sw.main.rpc.nobody", Data: []byte("x")}, patience)
		if o := ending(t, got); !errors.Is(o.err, port.ErrNoResponders) {
			t.Errorf("lane %v: %v", lane, o.err)
		}
	}
	var mu sync.Mutex
	done, got := completion(&mu)
	large := port.Message{Subject: "sw.main.rpc.nobody", Data: make([]byte, a.MaxPayload()+1)}
	if err := a.Start(port.LaneCalls, a.NextRequest(port.LaneCalls), large, time.Now().Add(patience), done); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("a request that is too large: %v", err)
	}
	bad := port.Message{Subject: "sw.main.rpc. x"}
	if err := a.Start(port.LaneCalls, a.NextRequest(port.LaneCalls), bad, time.Now().Add(patience), done); err == nil {
		t.Error("a request to a bad subject was started")
	}
	// A request that has been answered comes later than anything that those could have led to.
	answer(t, b, "sw.main.rpc.echo", "")
	if o := ending(t, start(t, a, port.LaneCalls, port.Message{Subject: "sw.main.rpc.echo"}, patience)); o.err != nil {
		t.Error(o.err)
	}
	if len(got) > 0 {
		t.Errorf("the completion of a request that was not started was called: %v", <-got)
	}
}

// testStartDeadline: requests end after their own deadline, never before, those with the nearest first, and an answer
// that comes later is nobody's.
func testStartDeadline(t *testing.T, a, b Bus) {
	t.Helper()
	asked := make(chan port.Message, 10)
	stop, err := b.Serve("sw.main.rpc.silent", "q", func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	begin := time.Now()
	m := port.Message{Subject: "sw.main.rpc.silent"}
	never := start(t, a, port.LaneCalls, m, time.Hour)
	last := start(t, a, port.LaneCalls, m, 200*time.Millisecond)
	first := start(t, a, port.LaneCalls, m, 50*time.Millisecond)
	held := next(t, asked)
	for range 2 {
		next(t, asked)
	}
	for _, tt := range []struct {
		got   <-chan outcome
		after time.Duration
	}{{first, 50 * time.Millisecond}, {last, 200 * time.Millisecond}} {
		o := ending(t, tt.got)
		if !errors.Is(o.err, port.ErrTimeout) {
			t.Errorf("after the deadline: %v", o.err)
		}
		if passed := time.Since(begin); passed < tt.after {
			t.Errorf("ended after %v, before its deadline of %v", passed, tt.after)
		}
	}
	again := start(t, a, port.LaneCalls, m, 50*time.Millisecond)
	late := next(t, asked)
	if o := ending(t, again); !errors.Is(o.err, port.ErrTimeout) {
		t.Errorf("a later request: %v", o.err)
	}
	publish(t, b, late.Reply, "late")
	publish(t, b, held.Reply, "in time")
	if o := ending(t, never); o.err != nil || string(o.m.Data) != "in time" {
		t.Errorf("the request that waits: %q, %v", o.m.Data, o.err)
	}
	if len(first)+len(last)+len(again)+len(never) > 0 {
		t.Error("a completion was called twice")
	}
}

// testCancel: a request that is cancelled ends at once, its late answer is nobody's, and the others go on.
func testCancel(t *testing.T, a, b Bus) {
	t.Helper()
	asked := make(chan port.Message, 10)
	stop, err := b.Serve("sw.main.rpc.silent", "q", func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for _, lane := range []port.Lane{port.LaneCalls, port.LaneOrdered} {
		m := port.Message{Subject: "sw.main.rpc.silent"}
		var mu sync.Mutex
		done, got := completion(&mu)
		id := a.NextRequest(lane)
		if err := a.Start(lane, id, m, time.Now().Add(time.Hour), done); err != nil {
			t.Fatal(err)
		}
		cancelled := next(t, asked)
		other := start(t, a, lane, m, patience)
		kept := next(t, asked)
		a.Cancel(lane, id)
		if o := ending(t, got); !errors.Is(o.err, context.Canceled) {
			t.Errorf("lane %v: the cancelled request ended with %v", lane, o.err)
		}
		publish(t, b, cancelled.Reply, "late")
		publish(t, b, kept.Reply, "answer")
		if o := ending(t, other); o.err != nil || string(o.m.Data) != "answer" {
			t.Errorf("lane %v: the other request: %q, %v", lane, o.m.Data, o.err)
		}
		// Neither a second time nor what was never there.
		a.Cancel(lane, id)
		a.Cancel(lane, a.NextRequest(lane))
		if len(got)+len(other) > 0 {
			t.Errorf("lane %v: a completion was called twice", lane)
		}
	}
}

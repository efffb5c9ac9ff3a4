package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

var bothLanes = []port.Lane{port.LaneCalls, port.LaneOrdered}

// answerMany lets an intake answer each request of a subject with texts and the request's own, in order.
func answerMany(t *testing.T, b Bus, subject string, texts ...string) {
	t.Helper()
	stop, err := b.Intake([]string{subject}, nil, func(m port.Message) {
		for _, text := range texts {
			publish(t, b, m.Reply, text+string(m.Data))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// gather asks until n answers have come.
func gather(ctx context.Context, b Bus, lane port.Lane, m port.Message, n int) ([]string, error) {
	var got []string
	err := b.RequestMany(ctx, lane, m, func(m port.Message) bool {
		got = append(got, string(m.Data))
		return len(got) < n
	})
	return got, err
}

// testGather: the answers of all who listen arrive, those of each in its order, until enough have come.
func testGather(t *testing.T, a, b Bus) {
	t.Helper()
	answerMany(t, b, "sw.main.nodes.ping", "one ", "two ", "")
	answerMany(t, b, "sw.main.nodes.*", "1 ", "2 ")
	for _, lane := range bothLanes {
		got, err := gather(wait(t), a, lane, port.Message{Subject: "sw.main.nodes.ping", Data: []byte("x")}, 5)
		if err != nil {
			t.Fatal(err)
		}
		first := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[0] == '1' || s[0] == '2' })
		second := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[0] != '1' && s[0] != '2' })
		if !slices.Equal(first, []string{"one x", "two x", "x"}) || !slices.Equal(second, []string{"1 x", "2 x"}) {
			t.Errorf("lane %v: got %q", lane, got)
		}
	}
}

// testGatherEnds: what has come by the end of the context is handed over, and the error says which way it ended.
func testGatherEnds(t *testing.T, a, b Bus) {
	t.Helper()
	answerMany(t, b, "sw.main.nodes.ping", "one ", "two ")
	for _, lane := range bothLanes {
		m := port.Message{Subject: "sw.main.nodes.ping", Data: []byte("x")}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		got, err := gather(ctx, a, lane, m, 3)
		cancel()
		if !errors.Is(err, port.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("lane %v: after the deadline: %v", lane, err)
		}
		if !slices.Equal(got, []string{"one x", "two x"}) {
			t.Errorf("lane %v: got %q", lane, got)
		}
		ctx, cancel = context.WithCancel(t.Context())
		got = nil
		err = a.RequestMany(ctx, lane, m, func(m port.Message) bool {
			if got = append(got, string(m.Data)); len(got) == 2 {
				cancel()
			}
			return true
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, port.ErrTimeout) || len(got) != 2 {
			t.Errorf("lane %v: cancelled: %q, %v", lane, got, err)
		}
		if got, err := gather(ctx, a, lane, m, 1); !errors.Is(err, context.Canceled) || len(got) > 0 {
			t.Errorf("lane %v: cancelled before: %q, %v", lane, got, err)
		}
	}
}

// testGatherFails: each error of a request is one of a gathered request too, and nothing is handed over.
func testGatherFails(t *testing.T, a, b Bus) {
	t.Helper()
	answerMany(t, b, "sw.main.nodes.ping", "")
	large := make([]byte, a.MaxPayload()+1)
	for _, lane := range bothLanes {
		got, err := gather(wait(t), a, lane, port.Message{Subject: "sw.main.nodes.nobody", Data: []byte("x")}, 1)
		if !errors.Is(err, port.ErrNoResponders) || len(got) > 0 {
			t.Errorf("lane %v: nobody: %q, %v", lane, got, err)
		}
		got, err = gather(wait(t), a, lane, port.Message{Subject: "sw.main.nodes.ping", Data: large}, 1)
		if !errors.Is(err, port.ErrTooLarge) || len(got) > 0 {
			t.Errorf("lane %v: too large: %d, %v", lane, len(got), err)
		}
		got, err = gather(wait(t), a, lane, port.Message{Subject: "sw.main. x"}, 1)
		if err == nil || errors.Is(err, port.ErrUnavailable) || len(got) > 0 {
			t.Errorf("lane %v: bad subject: %q, %v", lane, got, err)
		}
		// An empty answer is one.
		if got, err := gather(wait(t), a, lane, port.Message{Subject: "sw.main.nodes.ping"}, 1); err != nil || len(got) != 1 || got[0] != "" {
			t.Errorf("lane %v: an empty answer: %q, %v", lane, got, err)
		}
	}
}

// testGatherOrder: on the ordered lane it comes after what the node published before.
func testGatherOrder(t *testing.T, a, b Bus) {
	t.Helper()
	heard := 0 // only in the handler
	stop, err := b.Intake([]string{"sw.main.top.>", "sw.main.nodes.>"}, nil, func(m port.Message) {
		if m.Reply == "" {
			heard++
			return
		}
		publish(t, b, m.Reply, strconv.Itoa(heard))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for i := range 100 {
		for range 10 {
			publish(t, a, "sw.main.top.x", "x")
		}
		got, err := gather(wait(t), a, port.LaneOrdered, port.Message{Subject: "sw.main.nodes.ping"}, 1)
		if want := strconv.Itoa(10 * (i + 1)); err != nil || len(got) != 1 || got[0] != want {
			t.Fatalf("heard %q, want %s: %v", got, want, err)
		}
	}
}

// testGatherMany: of many at once, each gets its own answers.
func testGatherMany(t *testing.T, a, b Bus) {
	t.Helper()
	answerMany(t, b, "sw.main.nodes.ping", "1 ", "2 ", "3 ")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				data := fmt.Sprint(i, ".", j)
				got, err := gather(wait(t), a, bothLanes[j%2], port.Message{Subject: "sw.main.nodes.ping", Data: []byte(data)}, 3)
				if err != nil || !slices.Equal(got, []string{"1 " + data, "2 " + data, "3 " + data}) {
					t.Errorf("request %s: %q, %v", data, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// testGatherLate: what comes when enough have come, or after the end, is nobody's.
func testGatherLate(t *testing.T, a, b Bus) {
	t.Helper()
	asked := make(chan port.Message, 10)
	stop, err := b.Intake([]string{"sw.main.nodes.ping"}, nil, func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for _, lane := range bothLanes {
		type result struct {
			got []string
			err error
		}
		ask := func(n int) <-chan result {
			done := make(chan result, 1)
			go func() {
				got, err := gather(wait(t), a, lane, port.Message{Subject: "sw.main.nodes.ping"}, n)
				done <- result{got, err}
			}()
			return done
		}
		first := ask(1)
		m := next(t, asked)
		for range 3 {
			publish(t, b, m.Reply, "first")
		}
		if r := <-first; r.err != nil || !slices.Equal(r.got, []string{"first"}) {
			t.Errorf("lane %v: %q, %v", lane, r.got, r.err)
		}
		second := ask(2)
		m2 := next(t, asked)
		publish(t, b, m2.Reply, "second")
		publish(t, b, m.Reply, "late")
		publish(t, b, m2.Reply, "third")
		if r := <-second; r.err != nil || !slices.Equal(r.got, []string{"second", "third"}) {
			t.Errorf("lane %v: %q, %v", lane, r.got, r.err)
		}
	}
}

// testGatherOverflow: who does not take the answers gets an error instead of memory without bound, and the next request
// is not touched by it.
func testGatherOverflow(t *testing.T, a, b Bus) {
	t.Helper()
	asked := make(chan port.Message, 10)
	stop, err := b.Intake([]string{"sw.main.nodes.flood"}, nil, func(m port.Message) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	answerMany(t, b, "sw.main.nodes.ping", "pong")
	release, done := make(chan struct{}), make(chan error, 1)
	taken := 0
	go func() {
		done <- a.RequestMany(wait(t), port.LaneCalls, port.Message{Subject: "sw.main.nodes.flood"}, func(port.Message) bool {
			<-release
			taken++
			return true
		})
	}()
	m := next(t, asked)
	const n = 20000
	for i := range n {
		publish(t, b, m.Reply, "x")
		if i%1000 == 0 { // no faster than they are put down
			if err := b.Flush(wait(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Flush(wait(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := gather(wait(t), a, port.LaneCalls, port.Message{Subject: "sw.main.nodes.ping"}, 1); err != nil || len(got) != 1 {
		t.Errorf("meanwhile: %q, %v", got, err)
	}
	close(release)
	if err := <-done; !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("a flood of answers ended with %v", err)
	}
	if taken == 0 || taken >= n {
		t.Errorf("%d answers were taken", taken)
	}
	if got, err := gather(wait(t), a, port.LaneCalls, port.Message{Subject: "sw.main.nodes.ping"}, 1); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

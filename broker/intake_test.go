package broker

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/swindon-go/swindon/internal/port"
)

// TestIntakeOverflow: beyond the bound the newest messages are dropped, which is told once per spell; then it goes on.
func TestIntakeOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gaps := make(chan string, 10)
		got := make(chan string, 100)
		release := make(chan struct{})
		in := testIntake(t, nil, func(m port.Message) {
			<-release
			got <- string(m.Data)
		}, func(reason string) { gaps <- reason })
		in.limit = 5 * size(numbered(0, 0))
		in.start()
		for spell := range 2 {
			for i := range 8 {
				in.ch <- numbered(spell, i)
			}
			in.poll()
			if len(gaps) != 1 || <-gaps != gapOverflow {
				t.Fatalf("spell %d: told of %d more gaps", spell, len(gaps))
			}
			for range 5 {
				release <- struct{}{}
			}
			synctest.Wait()
			for i := range 5 {
				if s, want := <-got, string(numbered(spell, i).Data); s != want {
					t.Errorf("spell %d, message %d: %s, want %s", spell, i, s, want)
				}
			}
		}
		if n := count(t, in.m.dropped); n != 6 {
			t.Errorf("counted %v dropped messages, want 6", n)
		}
		in.stop()
		if len(got) != 0 {
			t.Errorf("%d more messages", len(got))
		}
	})
}

// TestIntakePoll: what quick accepts is handled by who polls; what it refuses, and what is behind it, by the goroutine.
func TestIntakePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		release := make(chan struct{})
		in := testIntake(t, func(m port.Message) bool {
			if string(m.Data) == "wait" {
				return false
			}
			got = append(got, "quick "+string(m.Data))
			return true
		}, func(m port.Message) {
			<-release
			got = append(got, "handle "+string(m.Data))
		}, nil)
		in.start()
		put := func(texts ...string) {
			for _, s := range texts {
				in.ch <- &nats.Msg{Subject: "s", Data: []byte(s)}
			}
			in.poll()
		}
		expect := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			got = nil
		}
		put("1", "2")
		expect("quick 1", "quick 2") // at once, without another goroutine
		put("3", "wait", "4")
		put("5")
		synctest.Wait()
		expect("quick 3")
		for range 3 {
			release <- struct{}{}
		}
		synctest.Wait()
		expect("handle wait", "handle 4", "handle 5")
		put("6")
		expect("quick 6")
		in.stop()
		put("7")
		synctest.Wait()
		expect()
	})
}

// TestIntakePollBound: the reading goroutine gives messages 1 ms at a time and leaves the rest to the intake's own.
func TestIntakePollBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var quick, handled atomic.Int32
		in := testIntake(t, func(port.Message) bool {
			time.Sleep(pollTime / 4)
			quick.Add(1)
			return true
		}, func(port.Message) { handled.Add(1) }, nil)
		in.start()
		for i := range 20 {
			in.ch <- numbered(0, i)
		}
		start := time.Now()
		in.poll()
		if took := time.Since(start); took != pollTime {
			t.Errorf("the reader was held up for %v", took)
		}
		synctest.Wait()
		if quick.Load() != 4 || handled.Load() != 16 {
			t.Errorf("%d and %d messages", quick.Load(), handled.Load())
		}
		in.stop()
	})
}

// TestIntakeOrder: whoever handles them, messages stay in order and none is left behind.
func TestIntakeOrder(t *testing.T) {
	t.Parallel()
	const messages = 20000
	done := make(chan struct{})
	next := 0
	take := func(m port.Message) {
		if want := strconv.Itoa(next); string(m.Data) != want {
			t.Errorf("message %q, want %q", m.Data, want)
		}
		if next++; next == messages {
			close(done)
		}
	}
	in := testIntake(t, func(m port.Message) bool {
		if m.Subject == "slow" {
			return false
		}
		take(m)
		return true
	}, take, func(string) { t.Error("told of a gap") })
	in.start()
	for i := 0; i < messages; {
		for range min(rand.IntN(20), messages-i) {
			m := &nats.Msg{Subject: "fast", Data: strconv.AppendInt(nil, int64(i), 10)}
			if rand.IntN(30) == 0 {
				m.Subject = "slow"
			}
			in.ch <- m
			i++
		}
		in.poll()
	}
	<-done
	in.stop()
	if next != messages {
		t.Errorf("%d messages, want %d", next, messages)
	}
}

func testIntake(t testing.TB, quick func(port.Message) bool, handle func(port.Message), gap func(string)) *intake {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newIntake(quick, handle, gap, m)
}

func numbered(spell, i int) *nats.Msg {
	return &nats.Msg{Subject: "s", Data: fmt.Appendf(nil, "%d%d", spell, i)}
}

// count is the value of a counter.
func count(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

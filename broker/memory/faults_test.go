package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/port"
)

// pair is two nodes, and what b hears.
type pair struct {
	a, b  *memory.Bus
	heard *[]string // read it after synctest.Wait
}

func newPair(t *testing.T) pair {
	t.Helper()
	n := memory.NewNetwork(1000)
	p := pair{a: n.Join(), b: n.Join(), heard: new([]string)}
	stop, err := p.b.Intake([]string{"sw.main.top.>"}, nil, func(m port.Message) { *p.heard = append(*p.heard, string(m.Data)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return p
}

func (p pair) publish(t *testing.T, data string) {
	t.Helper()
	if err := p.a.Publish(port.Message{Subject: "sw.main.top.x", Data: []byte(data)}); err != nil {
		t.Fatal(err)
	}
}

func (p pair) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, *p.heard); diff != "" {
		t.Error(diff)
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var gaps []string
		p.a.OnGap(func(reason string) { gaps = append(gaps, reason) })
		stop, err := p.b.Serve("sw.main.api.x", "gw", func(port.Message) {})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		underWay := make(chan error, 1)
		go func() {
			_, err := p.a.Request(t.Context(), port.LaneCalls, port.Message{Subject: "sw.main.api.x"})
			underWay <- err
		}()
		ended := make(chan error, 10)
		done := func(_ port.Message, err error) { ended <- err }
		if err := p.a.Start(port.LaneCalls, p.a.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.api.x"}, time.Now().Add(time.Hour), done); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.a.SetDown(true)
		if err := <-underWay; !errors.Is(err, port.ErrTimeout) {
			t.Errorf("request under way: %v", err)
		}
		if err := <-ended; !errors.Is(err, port.ErrTimeout) {
			t.Errorf("started request under way: %v", err)
		}
		if err := p.a.Start(port.LaneCalls, p.a.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.api.x"}, time.Now(), done); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Start: %v", err)
		}
		if p.a.Up() || !p.b.Up() {
			t.Errorf("up: %v, %v", p.a.Up(), p.b.Up())
		}
		if err := p.a.Publish(port.Message{Subject: "sw.main.top.x"}); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Publish: %v", err)
		}
		if err := p.a.Flush(t.Context()); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Flush: %v", err)
		}
		if _, err := p.a.Request(t.Context(), port.LaneOrdered, port.Message{Subject: "sw.main.api.x"}); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("Request: %v", err)
		}
		if _, err := p.b.Request(t.Context(), port.LaneOrdered, port.Message{Subject: "sw.main.none"}); !errors.Is(err, port.ErrNoResponders) {
			t.Errorf("the other node: %v", err)
		}
		p.a.SetDown(false)
		p.publish(t, "back")
		p.expect(t, "back")
		if diff := cmp.Diff([]string{"reconnect"}, gaps); diff != "" {
			t.Error(diff)
		}
		// Who is down hears nothing.
		p.b.SetDown(true)
		p.publish(t, "lost")
		p.b.SetDown(false)
		p.publish(t, "heard")
		p.expect(t, "back", "heard")
	})
}

func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.a.SetDelay(time.Second)
		start := time.Now()
		p.publish(t, "1")
		time.Sleep(300 * time.Millisecond)
		p.a.SetDelay(0)
		p.publish(t, "2") // its order stays
		p.expect(t)
		if err := p.a.Flush(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("flushed after %v: %v", time.Since(start), err)
		}
		p.expect(t, "1", "2")

		p.a.SetDelay(time.Second)
		start = time.Now()
		_, err := p.a.Request(t.Context(), port.LaneCalls, port.Message{Subject: "sw.main.none"})
		if !errors.Is(err, port.ErrNoResponders) || time.Since(start) != time.Second {
			t.Errorf("request after %v: %v", time.Since(start), err)
		}
		// What is on its way is lost with the connection.
		p.publish(t, "lost")
		flush := make(chan error, 1)
		go func() { flush <- p.a.Flush(t.Context()) }()
		synctest.Wait()
		p.a.SetDown(true)
		if err := <-flush; !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("flush under way: %v", err)
		}
		time.Sleep(2 * time.Second)
		p.expect(t, "1", "2")
	})
}

func TestStalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.a.SetStalled(true)
		p.publish(t, "1")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := p.a.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := p.a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.none"}); !errors.Is(err, port.ErrTimeout) {
			t.Errorf("Request: %v", err)
		}
		p.expect(t)
		p.a.SetStalled(false)
		p.publish(t, "2")
		p.expect(t, "1", "2")
	})
}

func TestDrop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.a.SetDrop(func(m port.Message) bool { return string(m.Data) == "2" })
		for i := range 4 {
			p.publish(t, fmt.Sprint(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.a.Request(ctx, port.LaneCalls, port.Message{Subject: "x", Data: []byte("2")}); !errors.Is(err, port.ErrTimeout) {
			t.Errorf("a lost request: %v", err)
		}
		p.a.SetDrop(nil)
		p.publish(t, "2")
		p.expect(t, "0", "1", "3", "2")
	})
}

// TestInBubble: the suite's calls do not need real time.
func TestInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := memory.NewNetwork(0)
		var a, b brokertest.Bus = n.Join(), n.Join()
		stop, err := b.Serve("sw.main.rpc.>", "q", func(m port.Message) {
			if err := b.Publish(port.Message{Subject: m.Reply, Data: m.Data}); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		m, err := a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.rpc.x", Data: []byte("x")})
		if err != nil || string(m.Data) != "x" || time.Since(start) != 0 {
			t.Errorf("%q, %v after %v", m.Data, err, time.Since(start))
		}
		stop()
		if _, err := a.Request(ctx, port.LaneCalls, port.Message{Subject: "sw.main.rpc.x"}); !errors.Is(err, port.ErrNoResponders) {
			t.Errorf("after stop: %v", err)
		}
	})
}

// TestOverflow: beyond the bound the newest messages are dropped, and that is told once.
func TestOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := memory.NewNetwork(10 << 20)
		a, b := n.Join(), n.Join()
		gaps := make(chan string, 10)
		b.OnGap(func(reason string) { gaps <- reason })
		release := make(chan struct{})
		heard := 0
		stop, err := b.Intake([]string{"x"}, nil, func(port.Message) {
			<-release
			heard++
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		big := make([]byte, 10<<20)
		for range 10 { // 64 MiB wait at most
			if err := a.Publish(port.Message{Subject: "x", Data: big}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(gaps) != 1 || <-gaps != "overflow" {
			t.Errorf("%d more gaps were told", len(gaps))
		}
		close(release)
		synctest.Wait()
		if heard != 6 {
			t.Errorf("heard %d messages, want 6", heard)
		}
	})
}

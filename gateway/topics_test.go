package gateway

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
)

// listener is a connection that only keeps what it is sent.
func listener() *conn {
	c := &conn{}
	c.pending.Store(&pending{max: 1 << 30, cancel: func() {}})
	return c
}

func (c *conn) kept() int { return len(c.pending.Load().frames) }

func testTopics(tb testing.TB) *topics {
	tb.Helper()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	return newTopics(m)
}

// TestTopicsModel compares the index with a plain map of sets.
func TestTopicsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, err := NewMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		x := newTopics(m)
		conns := make([]*conn, 5)
		want := make([]int, len(conns))
		for i := range conns {
			conns[i] = listener()
		}
		type key struct {
			conn  int
			topic names.Topic
		}
		subs := map[key]*subscription{}
		draw := func(t *rapid.T) key {
			return key{
				rapid.IntRange(0, len(conns)-1).Draw(t, "conn"),
				names.Topic(fmt.Sprintf("t%d", rapid.IntRange(0, 3).Draw(t, "topic"))),
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"subscribe": func(t *rapid.T) {
				if k := draw(t); subs[k] == nil {
					subs[k] = x.add(k.topic, conns[k.conn])
				}
			},
			"unsubscribe": func(t *rapid.T) {
				if k := draw(t); subs[k] != nil {
					x.remove(subs[k])
					delete(subs, k)
				}
			},
			"publish": func(t *rapid.T) {
				topic := draw(t).topic
				x.push(topic, func() ws.Frame { return ws.NewText([]byte("1")) })
				for k := range subs {
					if k.topic == topic {
						want[k.conn]++
					}
				}
			},
			"": func(t *rapid.T) {
				live := map[names.Topic]bool{}
				for k := range subs {
					live[k.topic] = true
				}
				if got := m.topics.Load(); got != int64(len(live)) {
					t.Fatalf("%d topics, want %d", got, len(live))
				}
				for i, c := range conns {
					if c.kept() != want[i] {
						t.Fatalf("connection %d has got %d messages, want %d", i, c.kept(), want[i])
					}
				}
			},
		})
	})
}

// TestTopicsConcurrently lets many goroutines come, go and publish; at the end nobody is left, and who was subscribed
// all along has got everything.
func TestTopicsConcurrently(t *testing.T) {
	t.Parallel()
	x := testTopics(t)
	constant := listener()
	sub := x.add("t0", constant)
	const publishers, each = 4, 200
	var wg sync.WaitGroup
	for g := range publishers {
		wg.Go(func() {
			for range each {
				x.push("t0", func() ws.Frame { return ws.NewText([]byte("1")) })
			}
		})
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			c := listener()
			for range each {
				s := x.add(names.Topic(fmt.Sprintf("t%d", r.IntN(3))), c)
				x.remove(s)
			}
		})
	}
	wg.Wait()
	if got := constant.kept(); got != publishers*each {
		t.Errorf("got %d messages, want %d", got, publishers*each)
	}
	x.remove(sub)
	if n := x.metrics.topics.Load(); n != 0 {
		t.Errorf("%d topics are left", n)
	}
	for i := range x.shards {
		if n := len(x.shards[i].m); n != 0 {
			t.Errorf("shard %d holds %d topics", i, n)
		}
	}
}

// A fan-out must cost nothing per subscriber but its place in the outbox.
func TestPushAllocations(t *testing.T) {
	x := testTopics(t)
	conns := make([]*conn, 100)
	for i := range conns {
		conns[i] = listener()
		conns[i].pending.Load().frames = make([]ws.Frame, 0, 10_000)
		x.add("t", conns[i])
	}
	f := ws.NewText([]byte("1"))
	got := testing.AllocsPerRun(50, func() { x.push("t", func() ws.Frame { return f }) })
	if got > 1 {
		t.Errorf("a push to %d subscribers costs %v allocations, want at most 1", len(conns), got)
	}
}

// TestPushFew: who reads from NATS delivers to few and never waits.
func TestPushFew(t *testing.T) {
	t.Parallel()
	x := testTopics(t)
	frame := func() ws.Frame { return ws.NewText([]byte("1")) }
	var conns []*conn
	for range quickSubscribers {
		c := listener()
		conns = append(conns, c)
		x.add("t", c)
	}
	topic := x.find("t", false)
	if !x.pushFew(topic, frame) {
		t.Error("refused for few")
	}
	topic.mu.Lock()
	if x.pushFew(topic, frame) {
		t.Error("done although somebody else is at it")
	}
	topic.mu.Unlock()
	conns = append(conns, listener())
	last := x.add("t", conns[quickSubscribers])
	if x.pushFew(topic, frame) {
		t.Error("done for many")
	}
	x.remove(last)
	for i, c := range conns {
		if want := min(1, quickSubscribers-i); c.kept() != want {
			t.Errorf("connection %d got %d frames, want %d", i, c.kept(), want)
		}
	}
}

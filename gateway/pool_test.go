package gateway_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestPoolsAreIsolated runs two session pools in one process: they share neither topics nor connections, although all
// connections of a process are numbered together.
func TestPoolsAreIsolated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		d := instant{http.Header{"Content-Type": {"application/json"}}}
		resolve := func(string) (backend.Destination, bool) { return backend.Destination{HTTP: d}, true }
		s := newSetup(t)
		main := startNodeWith(t, 1, s, network, resolve)
		s2 := newSetup(t)
		s2.name, s2.next = "other", s.next
		other := startNodeWith(t, 1, s2, network, resolve)
		a := open(t, main.listener, "/ws", nil)
		synctest.Wait()
		b := open(t, other.listener, "/ws", nil)
		synctest.Wait()
		for _, c := range []*client{a, b} {
			if e := c.next(); e != "101 "+gateway.Subprotocol {
				t.Fatal(e)
			}
			if e := c.next(); e != `["hello",{},{"user_id":"ann"}]` {
				t.Fatal(e)
			}
		}
		ctx := t.Context()
		idA, idB := names.ConnID{Node: nodeID(1), N: 0}, names.ConnID{Node: nodeID(1), N: 1}
		if err := errors.Join(main.pool.Subscribe(ctx, idA, "t"), other.pool.Subscribe(ctx, idB, "t")); err != nil {
			t.Fatal(err)
		}
		if err := main.pool.Subscribe(ctx, idB, "t"); !errors.Is(err, port.ErrGone) {
			t.Errorf("subscribe of another session pool's connection: %v", err)
		}
		if err := main.pool.Publish(ctx, "t", []byte("1")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := a.next(); e != `["message",{"topic":"t"},1]` {
			t.Errorf("the subscriber got %q", e)
		}
		if e := b.next(); e != "" {
			t.Errorf("the other session pool's subscriber got %q", e)
		}
	})
}

// TestApplyTakesEffect changes settings of a running session pool.
func TestApplyTakesEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := instant{http.Header{"Content-Type": {"application/json"}}}
		s := newSetup(t)
		nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
			return backend.Destination{HTTP: d}, true
		})
		open(t, nd.listener, "/ws", nil)
		synctest.Wait()
		id := names.ConnID{Node: nodeID(1), N: 0}
		cfg := s.pool
		cfg.MaxSubscriptionsPerConnection = 1
		nd.pool.Apply(cfg)
		if err := nd.pool.Subscribe(t.Context(), id, "a"); err != nil {
			t.Fatal(err)
		}
		if err := nd.pool.Subscribe(t.Context(), id, "b"); !errors.Is(err, port.ErrLimit) {
			t.Errorf("beyond the new limit: %v", err)
		}
		if got := nd.pool.Config().MaxSubscriptionsPerConnection; got != 1 {
			t.Errorf("Config has %d", got)
		}
	})
}

// TestTooLargeForNATS sees a publish that NATS does not carry refused with nothing delivered (decision D18).
func TestTooLargeForNATS(t *testing.T) {
	t.Parallel()
	nd := startNodeWith(t, 1, newSetup(t), memory.NewNetwork(10), func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: instant{}}, true
	})
	if err := nd.pool.Publish(t.Context(), "t", []byte(`"1234567890"`)); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("Publish: %v", err)
	}
	if nd.stat("input_messages") != 0 {
		t.Error("it was delivered on this node")
	}
}

func (nd *node) stat(name string) int64 {
	for _, s := range nd.metrics.Stats() {
		if s.Name == name {
			return s.Value
		}
	}
	return -1
}

// TestDependencies sees a session pool refuse to be made without what it needs.
func TestDependencies(t *testing.T) {
	t.Parallel()
	m, err := gateway.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	full := gateway.Deps{
		Node: nodeID(1), NextConn: func() uint64 { return 0 }, Bus: memory.NewNetwork(0).Join(), IDs: ident.New(time.Now),
		Destinations: func(string) (backend.Destination, bool) { return backend.Destination{}, false },
		Log:          slog.New(slog.DiscardHandler), Metrics: m,
	}
	if _, err := gateway.NewPool("main", gateway.DefaultConfig(), full); err != nil {
		t.Errorf("with everything: %v", err)
	}
	for name, spoil := range map[string]func(*gateway.Deps){
		"node": func(d *gateway.Deps) { d.Node = "" }, "next": func(d *gateway.Deps) { d.NextConn = nil },
		"bus": func(d *gateway.Deps) { d.Bus = nil }, "ids": func(d *gateway.Deps) { d.IDs = nil },
		"destinations": func(d *gateway.Deps) { d.Destinations = nil }, "log": func(d *gateway.Deps) { d.Log = nil },
		"metrics": func(d *gateway.Deps) { d.Metrics = nil },
	} {
		d := full
		spoil(&d)
		if _, err := gateway.NewPool("main", gateway.DefaultConfig(), d); err == nil {
			t.Errorf("without %s a session pool is made", name)
		}
	}
}

// TestMetrics holds the names that !SelfStatus shows, and sees that all numbers reach Prometheus once.
func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := gateway.NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range m.Stats() {
		kind := "level"
		if s.Counter {
			kind = "counter"
		}
		got = append(got, s.Group+" "+s.Name+" "+kind)
	}
	want := []string{
		"websockets.swindon_chat connects counter",
		"websockets.swindon_chat connections level",
		"websockets.swindon_chat frames_received counter",
		"websockets.swindon_chat frames_sent counter",
		"websockets.swindon_chat session_pools level",
		"websockets.swindon_chat active_sessions level",
		"websockets.swindon_chat inactive_sessions level",
		"websockets.swindon_chat.pubsub input_messages counter",
		"websockets.swindon_chat.pubsub output_messages counter",
		"websockets.swindon_chat.pubsub topics level",
		"replication frames_sent counter",
		"replication frames_received counter",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
	families, err := reg.Gather()
	if err != nil || len(families) < len(want) {
		t.Errorf("%d families, %v", len(families), err)
	}
	if _, err := gateway.NewMetrics(reg); err == nil {
		t.Error("the same names are registered twice")
	}
}

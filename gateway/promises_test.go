package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// annBackend authorizes everybody as ann, and does something before.
type annBackend struct{ before func() }

func (d annBackend) Call(context.Context, *port.Call) (port.Reply, error) {
	if d.before != nil {
		d.before()
	}
	return port.Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"user_id":"ann"}`)}, nil
}

func annNode(t *testing.T, n int, network *memory.Network, before func()) *node {
	t.Helper()
	return startNodeWith(t, n, newSetup(t), network, func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: annBackend{before}}, true
	})
}

// come opens a websocket and takes its first frames.
func come(t *testing.T, nd *node) *client {
	t.Helper()
	c := open(t, nd.listener, "/ws", nil)
	t.Cleanup(func() { _ = c.conn.Close() })
	synctest.Wait()
	return c
}

// hello takes the first events of a client.
func hello(t *testing.T, c *client) {
	t.Helper()
	synctest.Wait()
	for _, want := range []string{"101", `["hello"`} {
		if got := c.next(); !strings.HasPrefix(got, want) {
			t.Fatalf("instead of %s: %q", want, got)
		}
	}
}

func expect(t *testing.T, c *client, want ...string) {
	t.Helper()
	synctest.Wait()
	for _, w := range append(want, "") {
		if got := c.next(); got != w {
			t.Errorf("got %q, want %q", got, w)
		}
	}
}

func delta(t *testing.T, text string) *lattice.Delta {
	t.Helper()
	d, err := lattice.ParseDelta(jsontext.Value(text), time.Now().UnixMilli(), lattice.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func connOf(nd *node, n uint64) names.ConnID { return names.ConnID{Node: nd.id, N: n} }

const nothingSeen = `["lattice",{"namespace":"desk"},{}]`

// TestUsersOfAllNodesOrError: a list of users for all connections of a user is accepted only when the nodes that hold
// them have taken it.
func TestUsersOfAllNodesOrError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		here, there := annNode(t, 1, network, nil), annNode(t, 2, network, nil)
		time.Sleep(2 * time.Second)
		c := come(t, there)
		hello(t, c)
		if err := here.pool.WatchUsers(t.Context(), connOf(there, 0), nil); err != nil {
			t.Fatal(err)
		}
		expect(t, c, `["lattice",{"namespace":"swindon.user"},{}]`)
		network.Store("main").SetDown(true)
		if err := here.pool.UpdateUsers(t.Context(), "ann", []names.UserID{"bob"}); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("the other node could not take it, but: %v", err)
		}
	})
}

// TestUsersOfStrangers: a node that has just started, or has just come back to NATS, reaches nodes that it has not heard
// of yet.
func TestUsersOfStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		there := annNode(t, 2, network, nil)
		time.Sleep(500 * time.Millisecond)
		c := come(t, there)
		hello(t, c)
		if err := there.pool.WatchUsers(t.Context(), connOf(there, 0), nil); err != nil {
			t.Fatal(err)
		}
		expect(t, c, `["lattice",{"namespace":"swindon.user"},{}]`)
		fresh := annNode(t, 1, network, nil)
		ask := func(user string) {
			t.Helper()
			if err := fresh.pool.UpdateUsers(t.Context(), "ann", []names.UserID{names.UserID(user)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := c.next(); !strings.Contains(got, `{"`+user+`":`) {
				t.Errorf("nothing is told of %s: %q", user, got)
			}
		}
		ask("bob")
		time.Sleep(500 * time.Millisecond)
		fresh.bus.SetDown(true)
		time.Sleep(20 * time.Second)
		fresh.bus.SetDown(false)
		ask("cid")
	})
}

// TestUsersListedTwice are told of once.
func TestUsersListedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nd := annNode(t, 1, memory.NewNetwork(0), nil)
		c := come(t, nd)
		hello(t, c)
		now := time.Now().UnixMilli()
		if err := nd.pool.WatchUsers(t.Context(), connOf(nd, 0), []names.UserID{"bob", "bob"}); err != nil {
			t.Fatal(err)
		}
		expect(t, c, fmt.Sprintf(`["lattice",{"namespace":"swindon.user"},{"bob":{"status_register":[%d.0,"offline"]}}]`, now))
	})
}

// TestAttachBesideOneThatFails: of two requests to attach one connection, one gives up; the other is acknowledged, and
// must be right.
func TestAttachBesideOneThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		nd := annNode(t, 1, network, nil)
		c := come(t, nd)
		hello(t, c)
		network.Store("main").SetDelay(300 * time.Millisecond)
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		failed := make(chan error, 1)
		go func() { failed <- nd.pool.AttachLattice(impatient, connOf(nd, 0), "desk", delta(t, `{}`)) }()
		synctest.Wait()
		if err := nd.pool.AttachLattice(t.Context(), connOf(nd, 0), "desk", delta(t, `{}`)); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, port.ErrTimeout) {
			t.Fatalf("the impatient one: %v", err)
		}
		expect(t, c, nothingSeen)
		if err := nd.pool.UpdateLattice(t.Context(), "desk", delta(t, `{"private":{"ann":{"k":{"n_counter":1}}}}`)); err != nil {
			t.Fatal(err)
		}
		expect(t, c, `["lattice",{"namespace":"desk"},{"k":{"n_counter":1}}]`)
	})
}

// TestAttachedBeforeHello: what was acknowledged before hello is done when the store is back, whatever else fails
// meanwhile.
func TestAttachedBeforeHello(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		var nd *node
		nd = annNode(t, 1, network, func() {
			if err := nd.pool.AttachLattice(context.Background(), connOf(nd, 0), "desk", delta(t, `{}`)); err != nil {
				t.Error(err)
			}
		})
		network.Store("main").SetDown(true)
		c := come(t, nd)
		time.Sleep(100 * time.Millisecond)
		hello(t, c)
		if err := nd.pool.AttachLattice(t.Context(), connOf(nd, 0), "desk", delta(t, `{}`)); !errors.Is(err, port.ErrUnavailable) {
			t.Fatalf("without store: %v", err)
		}
		network.Store("main").SetDown(false)
		time.Sleep(5 * time.Second)
		expect(t, c, nothingSeen)
	})
}

// TestUsersOverBeforeTold: a connection that was told to watch before hello, and not to since, stays silent when the
// store is back.
func TestUsersOverBeforeTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		var nd *node
		nd = annNode(t, 1, network, func() {
			if err := nd.pool.WatchUsers(context.Background(), connOf(nd, 0), []names.UserID{"bob"}); err != nil {
				t.Error(err)
			}
		})
		network.Store("main").SetDown(true)
		c := come(t, nd)
		time.Sleep(100 * time.Millisecond)
		hello(t, c)
		if err := nd.pool.UnwatchUsers(t.Context(), connOf(nd, 0)); err != nil {
			t.Fatal(err)
		}
		network.Store("main").SetDown(false)
		time.Sleep(5 * time.Second)
		expect(t, c)
	})
}

// TestUnfinishedOfOthers: a document that can never be read holds nobody else up.
func TestUnfinishedOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		var nd *node
		spaces := []names.Namespace{"bad", "desk"}
		var n uint64
		nd = annNode(t, 1, network, func() {
			if err := nd.pool.AttachLattice(context.Background(), connOf(nd, n), spaces[n], delta(t, `{}`)); err != nil {
				t.Error(err)
			}
			n++
		})
		var back atomic.Bool
		network.Store("main").SetFault(func(_ memory.Op, key string) memory.Fault {
			if key == names.PrivateOf("bad", "ann").StoreKey() || !back.Load() && key == names.PrivateOf("desk", "ann").StoreKey() {
				return memory.FaultRefused
			}
			return memory.FaultNone
		})
		bad := come(t, nd)
		hello(t, bad)
		good := come(t, nd)
		hello(t, good)
		back.Store(true)
		time.Sleep(5 * time.Second)
		expect(t, good, nothingSeen)
		expect(t, bad)
	})
}

// TestFarewellIsTheLast: a session pool that waits for clients to say goodbye is not heard of any more.
func TestFarewellIsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		other, old := annNode(t, 2, network, nil), annNode(t, 1, network, nil)
		time.Sleep(2 * time.Second)
		silent := open(t, old.listener, "/ws", []string{"mute: yes"})
		hello(t, silent)
		stopped := make(chan struct{})
		go func() { old.pool.Stop(); close(stopped) }()
		time.Sleep(2500 * time.Millisecond)
		select {
		case <-stopped:
			t.Fatal("it has not waited")
		default:
		}
		if n := other.pool.Neighbours(); n != 0 {
			t.Errorf("%d neighbours live", n)
		}
		<-stopped
	})
}

// TestHelloWithoutQuorum: when the store takes for ever only the first to come wait a second for it.
func TestHelloWithoutQuorum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		nd := annNode(t, 1, network, nil)
		network.Store("main").SetDelay(time.Hour)
		for i, limit := range []time.Duration{time.Second, 100 * time.Millisecond, 100 * time.Millisecond} {
			c := come(t, nd)
			time.Sleep(limit + time.Millisecond)
			hello(t, c)
			if i == 0 {
				continue
			}
			time.Sleep(time.Second)
		}
		// Once it is over, hello waits as before.
		network.Store("main").SetDelay(300 * time.Millisecond)
		time.Sleep(time.Minute)
		c := come(t, nd)
		time.Sleep(200 * time.Millisecond)
		if got := c.next(); got != "" {
			t.Errorf("it has not waited: %q", got)
		}
		time.Sleep(time.Second)
		hello(t, c)
	})
}

// TestPrivateDataAfterTimeout: private data that was stored although nobody could be told so ends with its grace.
func TestPrivateDataAfterTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		nd := annNode(t, 1, network, nil)
		store := network.Store("main")
		store.LoseAnswers(1)
		store.SetDelay(900 * time.Millisecond)
		err := nd.pool.UpdateLattice(t.Context(), "desk", delta(t, `{"private":{"zoe":{"k":{}}}}`))
		if !errors.Is(err, port.ErrTimeout) {
			t.Fatalf("update: %v", err)
		}
		store.SetDelay(0)
		time.Sleep(time.Second)
		key := names.PrivateOf("desk", "zoe").StoreKey()
		if e, err := store.GetLatest(t.Context(), key); err != nil || e.Value == nil {
			t.Fatalf("the write was not done: %v %v", e, err)
		}
		time.Sleep(5 * time.Minute)
		if e, err := store.GetLatest(t.Context(), key); err != nil || e.Value != nil {
			t.Errorf("it is still there: %s %v", e.Value, err)
		}
	})
}

// TestNothingCountedAfterStop: a session pool that is gone is in no level of the metrics.
func TestNothingCountedAfterStop(t *testing.T) {
	t.Parallel()
	for _, mesh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSetup(t)
			s.mesh = mesh
			nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
				return backend.Destination{HTTP: annBackend{}}, true
			})
			time.Sleep(2 * time.Second)
			c := come(t, nd)
			hello(t, c)
			err := nd.pool.AttachLattice(t.Context(), connOf(nd, 0), "desk", delta(t, `{"shared":{"k":{"n_counter":1}},"private":{"ann":{"k":{}},"zoe":{}}}`))
			if err = errors.Join(err, nd.pool.WatchUsers(t.Context(), connOf(nd, 0), []names.UserID{"bob"})); err != nil {
				t.Fatal(err)
			}
			nd.pool.Stop()
			families, err := nd.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if v := m.GetGauge().GetValue(); m.GetGauge() != nil && v != 0 && !strings.HasSuffix(f.GetName(), "_peak") {
						t.Errorf("mesh %v: %s is %v", mesh, f.GetName(), v)
					}
				}
			}
		})
	}
}

// TestUsersOfSilentNode: a node that has been silent for more than three beats is waited for, as long as it does not count
// as dead.
func TestUsersOfSilentNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		here, there := annNode(t, 1, network, nil), annNode(t, 2, network, nil)
		time.Sleep(2 * time.Second)
		c := come(t, there)
		hello(t, c)
		if err := there.pool.WatchUsers(t.Context(), connOf(there, 0), nil); err != nil {
			t.Fatal(err)
		}
		expect(t, c, `["lattice",{"namespace":"swindon.user"},{}]`)
		// It comes back while somebody waits.
		there.bus.SetStalled(true)
		defer there.bus.SetStalled(false)
		time.Sleep(5 * time.Second)
		answer := make(chan error, 1)
		go func() { answer <- here.pool.UpdateUsers(t.Context(), "ann", []names.UserID{"bob"}) }()
		time.Sleep(1500 * time.Millisecond)
		select {
		case err := <-answer:
			t.Fatalf("it has not been waited for: %v", err)
		default:
		}
		there.bus.SetStalled(false)
		if err := <-answer; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := c.next(); !strings.Contains(got, `{"bob":`) {
			t.Errorf("nothing is told of bob: %q", got)
		}
		expect(t, c)
		// It does not: two seconds for each request, until it is dead.
		there.bus.SetStalled(true)
		time.Sleep(5 * time.Second)
		start := time.Now()
		err := here.pool.UpdateUsers(t.Context(), "ann", []names.UserID{"bob"})
		if waited := time.Since(start); !errors.Is(err, port.ErrTimeout) || waited != 2*time.Second {
			t.Errorf("after %v: %v", waited, err)
		}
		time.Sleep(4 * time.Second)
		start = time.Now()
		err = here.pool.UpdateUsers(t.Context(), "ann", []names.UserID{"bob"})
		if waited := time.Since(start); err != nil || waited != 0 {
			t.Errorf("of the dead, after %v: %v", waited, err)
		}
	})
}

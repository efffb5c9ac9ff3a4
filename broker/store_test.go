package broker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/swindon-go/swindon/internal/port"
)

// must returns v, or ends the test.
func must[T any](t *testing.T) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fill writes keys until the store is full, and returns how many.
func fill(t *testing.T, s *Store, value []byte) int {
	t.Helper()
	for n := range 1000 {
		_, err := s.CompareAndSwap(ctx(t), fmt.Sprint("k", n), 0, value, 0)
		if errors.Is(err, port.ErrStoreFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the store is never full")
	return 0
}

// TestStoreFull: the bound on the store refuses writes and loses nothing; what makes room still passes.
func TestStoreFull(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxStore = 1 << 20
	s := open(t, cfg, testDeps(t)).Store("main")
	value := make([]byte, 100<<10)
	n := fill(t, s, value)
	if n != 10 {
		t.Errorf("full after %d values of 100 KiB in 1 MiB", n)
	}
	for i := range n {
		if e := must[port.Entry](t)(s.Get(ctx(t), fmt.Sprint("k", i))); len(e.Value) != len(value) {
			t.Errorf("key %d has %d bytes", i, len(e.Value))
		}
	}
	must[uint64](t)(s.CompareAndSwap(ctx(t), "k0", 1, value, 0))
	must[uint64](t)(s.CompareAndSwap(ctx(t), "k1", 2, value[1:], 0))
	if _, err := s.CompareAndSwap(ctx(t), "k2", 3, make([]byte, 200<<10), 0); !errors.Is(err, port.ErrStoreFull) {
		t.Errorf("a value that grows: %v", err)
	}
	must[uint64](t)(s.Delete(ctx(t), "k3", 4))
	must[uint64](t)(s.CompareAndSwap(ctx(t), "again", 0, value[:90<<10], 0))
}

// TestStoreShares: the buckets of session pools share the bound, also those that come with a reload, and none takes
// the others' part.
func TestStoreShares(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxStore = 2 << 20
	deps := testDeps(t)
	deps.Pools = []PoolLimit{{Name: "main"}}
	b := open(t, cfg, deps)
	s := b.Store("main")
	value := make([]byte, 100<<10)
	if n := fill(t, s, value); n != 20 {
		t.Errorf("alone: %d values of 100 KiB in 2 MiB", n)
	}
	if err := b.Update([]PoolLimit{{Name: "main"}, {Name: "other"}}, nil); err != nil {
		t.Fatal(err)
	}
	if n := fill(t, awaitStore(t, b, "other"), value); n != 10 {
		t.Errorf("one of two: %d values of 100 KiB in 1 MiB", n)
	}
	for c := ctx(t); s.bound.Load() != 1<<20; {
		if err := b.Flush(c); err != nil {
			t.Fatal("the bound of the first does not change: ", err)
		}
	}
	if e := must[port.Entry](t)(s.Get(ctx(t), "k0")); len(e.Value) != len(value) {
		t.Errorf("a value was thrown out: %+v", e)
	}
	if _, err := s.CompareAndSwap(ctx(t), "more", 0, []byte("x"), 0); !errors.Is(err, port.ErrStoreFull) {
		t.Errorf("over its share: %v", err)
	}
	must[uint64](t)(s.Delete(ctx(t), "k1", 2))
	must[uint64](t)(b.NodesStore().CompareAndSwap(ctx(t), "node", 0, []byte("x"), time.Minute))
}

// TestStoreUnbounded: without nats.max-store there is no bound.
func TestStoreUnbounded(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxStore = 0
	s := open(t, cfg, testDeps(t)).Store("main")
	for i := range 3 {
		must[uint64](t)(s.CompareAndSwap(ctx(t), fmt.Sprint(i), 0, make([]byte, maxValue-1000), 0)) // headers count too
	}
	if n := s.bound.Load(); n != -1 {
		t.Errorf("the bound is %d", n)
	}
}

// TestMayLag: where there is one server, a read sees what was written before. That a cluster may lag is in
// TestStoreLeaderLost.
func TestMayLag(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.URL = []string{external(t, server.RANDOM_PORT).ClientURL()}
	for name, s := range map[string]*Store{
		"embedded": open(t, DefaultConfig(), testDeps(t)).Store("main"),
		"external": awaitStore(t, open(t, cfg, testDeps(t)), "main"),
	} {
		if s.MayLag() {
			t.Errorf("%s: may lag", name)
		}
		must[uint64](t)(s.LastSequence(ctx(t)))
		if s.MayLag() {
			t.Errorf("%s: may lag, now that its state was asked for", name)
		}
	}
}

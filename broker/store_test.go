package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/swindon-go/swindon/internal/names"
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

func TestStore(t *testing.T) {
	t.Parallel()
	s := open(t, DefaultConfig(), testDeps(t)).Store("main")
	key := names.EncodeToken("a.b") + ".p." + names.EncodeToken("u:1")

	if e := must[port.Entry](t)(s.Get(ctx(t), key)); e.Value != nil || e.Revision != 0 {
		t.Errorf("a key that was never written: %+v", e)
	}
	if e := must[port.Entry](t)(s.GetLatest(ctx(t), key)); e.Value != nil || e.Revision != 0 {
		t.Errorf("a key that was never written, from the leader: %+v", e)
	}
	r1 := must[uint64](t)(s.CompareAndSwap(ctx(t), key, 0, []byte("one"), 0))
	if _, err := s.CompareAndSwap(ctx(t), key, 0, []byte("x"), 0); !errors.Is(err, port.ErrRevision) {
		t.Errorf("written though it exists: %v", err)
	}
	r2 := must[uint64](t)(s.CompareAndSwap(ctx(t), key, r1, []byte("two"), 0))
	if _, err := s.CompareAndSwap(ctx(t), key, r1, []byte("x"), 0); !errors.Is(err, port.ErrRevision) {
		t.Errorf("written at an old revision: %v", err)
	}
	for name, get := range map[string]func(context.Context, string) (port.Entry, error){"Get": s.Get, "GetLatest": s.GetLatest} {
		if e := must[port.Entry](t)(get(ctx(t), key)); string(e.Value) != "two" || e.Revision != r2 {
			t.Errorf("%s: %q %d, want two %d", name, e.Value, e.Revision, r2)
		}
	}
	if _, err := s.Delete(ctx(t), key, r1); !errors.Is(err, port.ErrRevision) {
		t.Errorf("deleted at an old revision: %v", err)
	}
	r3 := must[uint64](t)(s.Delete(ctx(t), key, r2))
	for name, get := range map[string]func(context.Context, string) (port.Entry, error){"Get": s.Get, "GetLatest": s.GetLatest} {
		if e := must[port.Entry](t)(get(ctx(t), key)); e.Value != nil || e.Revision != r3 {
			t.Errorf("%s after Delete: %+v, want revision %d", name, e, r3)
		}
	}
	must[uint64](t)(s.CompareAndSwap(ctx(t), key, r3, []byte("three"), 0))

	for _, bad := range []string{"", "a..b", ".a", "*", "a.>", "a b", strings.Repeat("x", names.MaxKey+1)} {
		if _, err := s.Get(ctx(t), bad); err == nil {
			t.Errorf("Get of key %q was accepted", bad)
		}
		if _, err := s.CompareAndSwap(ctx(t), bad, 0, nil, 0); err == nil {
			t.Errorf("write of key %q was accepted", bad)
		}
	}
	if _, err := s.CompareAndSwap(ctx(t), "big", 0, make([]byte, maxValue+1), 0); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("too large a value: %v", err)
	}
}

// TestStoreRace: of many writers at the same revision exactly one wins, each time.
func TestStoreRace(t *testing.T) {
	t.Parallel()
	s := open(t, DefaultConfig(), testDeps(t)).Store("main")
	const writers, rounds = 8, 20
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				e, err := s.Get(ctx(t), "counter")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_, _ = fmt.Sscan(string(e.Value), &n) // nothing in it: 0
				switch _, err = s.CompareAndSwap(ctx(t), "counter", e.Revision, fmt.Append(nil, n+1), 0); {
				case err == nil:
					done++
				case !errors.Is(err, port.ErrRevision):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if e := must[port.Entry](t)(s.Get(ctx(t), "counter")); string(e.Value) != fmt.Sprint(writers*rounds) {
		t.Errorf("counted to %s, not %d", e.Value, writers*rounds)
	}
}

// TestStoreTTL: a key with an end ends, and its mark has a revision; written again without one it stays.
func TestStoreTTL(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	s := b.Store("main")
	// The end of a key is a message of its own, which we await instead of sleeping.
	nc := b.calls.conn.Load()
	js := must[jetstream.JetStream](t)(jetstream.New(nc))
	stream := must[jetstream.Stream](t)(js.Stream(ctx(t), names.Bucket("sw_main_lat").Stream()))
	r1 := must[uint64](t)(s.CompareAndSwap(ctx(t), "ends", 0, []byte("x"), 1))
	r2 := must[uint64](t)(s.CompareAndSwap(ctx(t), "stays", 0, []byte("x"), 1))
	r2 = must[uint64](t)(s.CompareAndSwap(ctx(t), "stays", r2, []byte("y"), 0))
	for wait := ctx(t); ; {
		info := must[*jetstream.StreamInfo](t)(stream.Info(wait))
		if info.State.LastSeq > r2 {
			break
		}
	}
	if e := must[port.Entry](t)(s.Get(ctx(t), "ends")); e.Value != nil || e.Revision <= r1 {
		t.Errorf("after its end: %+v", e)
	}
	if e := must[port.Entry](t)(s.Get(ctx(t), "stays")); string(e.Value) != "y" || e.Revision != r2 {
		t.Errorf("written again without end: %+v", e)
	}
}

// TestStoreFull: the bound on the store refuses writes and loses nothing.
func TestStoreFull(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxStore = 1 << 20
	s := open(t, cfg, testDeps(t)).Store("main")
	value := make([]byte, 100<<10)
	var err error
	n := 0
	for ; n < 20 && err == nil; n++ {
		_, err = s.CompareAndSwap(ctx(t), fmt.Sprint("k", n), 0, value, 0)
	}
	if !errors.Is(err, port.ErrStoreFull) {
		t.Fatalf("after %d writes: %v", n, err)
	}
	for i := range n - 1 {
		if e := must[port.Entry](t)(s.Get(ctx(t), fmt.Sprint("k", i))); len(e.Value) != len(value) {
			t.Errorf("key %d has %d bytes", i, len(e.Value))
		}
	}
}

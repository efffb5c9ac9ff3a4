package brokertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/swindon-go/swindon/internal/port"
)

// testGetMany: values come in the order of the keys, with zero entries for what was never written, marks, and keys that
// are asked for twice, however many keys there are.
func testGetMany(t *testing.T, s Stores) {
	t.Helper()
	many := func(want []port.Entry, keys ...string) {
		t.Helper()
		reads(t, s, fmt.Sprintf("GetMany of %d keys", len(keys)), want, func(ctx context.Context, s Store) ([]port.Entry, error) {
			return s.GetMany(ctx, keys)
		})
	}
	many(nil)
	many(make([]port.Entry, 1), "n.s.a")
	many(make([]port.Entry, 2), "n.s.a", "n.s.b")
	a := write(t, s.A, "n.s.a", 0, "A")
	b := write(t, s.B, "n.s.b", write(t, s.A, "n.s.b", 0, "B"), "B2")
	gone := remove(t, s.A, "n.s.gone", write(t, s.A, "n.s.gone", 0, "x"))
	entryA, entryB := port.Entry{Value: []byte("A"), Revision: a}, port.Entry{Value: []byte("B2"), Revision: b}
	many([]port.Entry{entryA}, "n.s.a")
	many([]port.Entry{entryB, {}, entryA, {Revision: gone}, entryB}, "n.s.b", "n.s.none", "n.s.a", "n.s.gone", "n.s.b")
	many([]port.Entry{{Revision: gone}, {}}, "n.s.gone", "n.s")

	const n = 2500 // more than two requests take; every third was never written
	keys, want := make([]string, n), make([]port.Entry, n)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				keys[i] = fmt.Sprintf("m.s.%d", i)
				if i%3 == 0 {
					continue
				}
				rev, err := s.A.CompareAndSwap(wait(t), keys[i], 0, fmt.Append(nil, i), 0)
				if err != nil {
					t.Error(err)
					return
				}
				want[i] = port.Entry{Value: fmt.Append(nil, i), Revision: rev}
			}
		})
	}
	wg.Wait()
	many(want, keys...)
}

// testGetManyLarge: neither long keys nor large values are too much for one call.
func testGetManyLarge(t *testing.T, s Stores) {
	t.Helper()
	var keys []string
	var want []port.Entry
	put := func(key, value string) {
		keys = append(keys, key)
		want = append(want, port.Entry{Value: []byte(value), Revision: write(t, s.A, key, 0, value)})
	}
	for i := range 800 {
		put(fmt.Sprintf("n.p.%03d%s", i, strings.Repeat("u", 900)), "")
	}
	for i := range 10 {
		put(fmt.Sprintf("n.s.%d", i), strings.Repeat("x", 900<<10))
	}
	for ctx := wait(t); ; {
		got, err := s.B.GetMany(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for i := range want {
			if string(got[i].Value) != string(want[i].Value) || got[i].Revision != want[i].Revision {
				wrong++
			}
		}
		if wrong == 0 {
			return
		}
		if !s.Lag {
			t.Fatalf("%d of %d are wrong", wrong, len(want))
		}
	}
}

// testGetManyWritten: keys that are written all the time are found all the time.
func testGetManyWritten(t *testing.T, s Stores) {
	t.Helper()
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("n.s.%d", i))
	}
	// Whatever fits one answer is read again and again while its parts move behind it.
	value := strings.Repeat("x", 150<<10)
	stop := rewrite(t, s, keys, value)
	seen := make([]uint64, len(keys))
	rounds := 20
	if s.Lag {
		rounds = 5 // three servers share the processors
	}
	for range rounds {
		got, err := s.B.GetMany(wait(t), keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range got {
			if len(e.Value) != len(value) {
				t.Fatalf("key %d has %d bytes at revision %d", i, len(e.Value), e.Revision)
			}
			if e.Revision < seen[i] && !s.Lag {
				t.Errorf("key %d went back from %d to %d", i, seen[i], e.Revision)
			}
			seen[i] = e.Revision
		}
	}
	stop()
}

// rewrite writes keys once, waits until all nodes see that, and goes on to write them until stop is called.
func rewrite(t *testing.T, s Stores, keys []string, value string) (stop func()) {
	t.Helper()
	revs := make([]uint64, len(keys))
	for i, key := range keys {
		revs[i] = write(t, s.A, key, 0, value)
	}
	for settled := 0; settled < 20; { // any of the replicas may answer
		got, err := s.B.Get(wait(t), keys[len(keys)-1])
		if err != nil {
			t.Fatal(err)
		}
		if settled++; got.Revision == 0 {
			settled = 0
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	patient := wait(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i = (i + 1) % len(keys) {
			rev, err := s.A.CompareAndSwap(patient, keys[i], revs[i], []byte(value), 0)
			if err != nil {
				t.Error(err)
				return
			}
			revs[i] = rev
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

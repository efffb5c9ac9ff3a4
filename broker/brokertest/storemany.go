package brokertest

import (
	"context"
	"fmt"
	"math"
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
	for range 20 {
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

// page is what Changes answers, in short.
func page(more uint64, changes ...port.Change) port.Page {
	return port.Page{Changes: changes, More: more}
}

func change(key, value string, rev uint64) port.Change {
	c := port.Change{Key: key, Entry: port.Entry{Value: []byte(value), Revision: rev}}
	if value == "-" {
		c.Value = nil
	}
	return c
}

// testChanges: each key comes once, with its last change, in the order of those, marks too, and only above the sequence
// that was asked for and below the filter.
func testChanges(t *testing.T, s Stores) {
	t.Helper()
	list := func(filter string, after uint64, limit int, want port.Page) {
		t.Helper()
		reads(t, s, fmt.Sprintf("Changes of %s above %d", filter, after), want, func(ctx context.Context, s Store) (port.Page, error) {
			return s.Changes(ctx, filter, after, limit)
		})
	}
	list(">", 0, 10, page(0))
	a := write(t, s.A, "n.s.a", 0, "a")                             // 1
	write(t, s.A, "n.s.b", 0, "b")                                  // 2
	p := write(t, s.B, "n.p.u", 0, "p")                             // 3
	idle := write(t, s.A, "idle.u", 0, "i")                         // 4
	gone := remove(t, s.A, "m.s.c", write(t, s.A, "m.s.c", 0, "c")) // 6
	a = write(t, s.A, "n.s.a", a, "a2")                             // 7
	b := write(t, s.B, "n.s.b", 2, "b2")                            // 8
	list(">", 0, 10, page(0, change("n.p.u", "p", p), change("idle.u", "i", idle), change("m.s.c", "-", gone),
		change("n.s.a", "a2", a), change("n.s.b", "b2", b)))
	list(">", 4, 10, page(0, change("m.s.c", "-", gone), change("n.s.a", "a2", a), change("n.s.b", "b2", b)))
	list("*.s.*", 0, 10, page(0, change("m.s.c", "-", gone), change("n.s.a", "a2", a), change("n.s.b", "b2", b)))
	list("n.s.*", 7, 10, page(0, change("n.s.b", "b2", b)))
	list("idle.*", 0, 10, page(0, change("idle.u", "i", idle)))
	list("*.p.u", 0, 10, page(0, change("n.p.u", "p", p)))
	list("n.s.*", 0, 1, page(1, change("n.s.a", "a2", a)))
	list(">", 0, 2, page(3, change("n.p.u", "p", p), change("idle.u", "i", idle)))
	for _, limit := range []int{0, -1} { // something, so that who asks gets on
		list(">", 7, limit, page(0, change("n.s.b", "b2", b)))
	}
	list("x.s.*", 0, 10, page(0))
	for _, after := range []uint64{8, 9, 1 << 40, math.MaxUint64} {
		list(">", after, 10, page(0))
	}
}

// collect reads all pages and calls each with each change; it says what is wrong with their order.
func collect(t *testing.T, s Store, limit int, each func(port.Change)) (pages int) {
	t.Helper()
	for after, more := uint64(0), uint64(1); more > 0; pages++ {
		p, err := s.Changes(wait(t), ">", after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) > limit || len(p.Changes) == 0 && p.More > 0 {
			t.Fatalf("a page of %d has %d changes, and %d are left", limit, len(p.Changes), p.More)
		}
		for _, c := range p.Changes {
			if c.Revision <= after {
				t.Fatalf("revision %d comes after %d", c.Revision, after)
			}
			after = c.Revision
			each(c)
		}
		more = p.More
	}
	return pages
}

// testChangesPages: page by page, everything comes once.
func testChangesPages(t *testing.T, s Stores) {
	t.Helper()
	const n = 1300
	for i := range n {
		write(t, s.A, fmt.Sprintf("n.s.%d", i), 0, fmt.Sprint(i))
	}
	for _, limit := range []int{97, 1024, 5000} {
		for ctx := wait(t); ; {
			got := 0
			pages := collect(t, s.B, min(limit, 1024), func(c port.Change) {
				if c.Key != fmt.Sprintf("n.s.%d", got) || string(c.Value) != fmt.Sprint(got) {
					t.Errorf("change %d is %+v", got, c)
				}
				got++
			})
			if s.Lag && got < n && ctx.Err() == nil {
				continue
			}
			if want := (n + min(limit, 1024) - 1) / min(limit, 1024); got != n || pages != want {
				t.Errorf("%d changes in %d pages, want %d in %d", got, pages, n, want)
			}
			break
		}
	}
}

// testChangesLarge: large values make smaller pages, and none is left out.
func testChangesLarge(t *testing.T, s Stores) {
	t.Helper()
	value := strings.Repeat("x", 900<<10)
	for i := range 10 {
		write(t, s.A, fmt.Sprintf("n.s.%d", i), 0, value)
	}
	for ctx := wait(t); ; {
		got := 0
		collect(t, s.B, 1000, func(c port.Change) {
			if len(c.Value) != len(value) || c.Key != fmt.Sprintf("n.s.%d", got) {
				t.Errorf("change %d is %s with %d bytes", got, c.Key, len(c.Value))
			}
			got++
		})
		if s.Lag && got < 10 && ctx.Err() == nil {
			continue
		}
		if got != 10 {
			t.Errorf("%d changes, not 10", got)
		}
		return
	}
}

// testChangesWritten: while keys are written, pages miss none of them.
func testChangesWritten(t *testing.T, s Stores) {
	t.Helper()
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprintf("n.s.%d", i))
	}
	stop := rewrite(t, s, keys, "x")
	for range 50 {
		got := map[string]bool{}
		collect(t, s.B, 20, func(c port.Change) { got[c.Key] = true })
		if len(got) != len(keys) {
			t.Fatalf("%d keys of %d", len(got), len(keys))
		}
	}
	stop()
}

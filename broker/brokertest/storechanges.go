package brokertest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// page is what Changes answers, in short.
func page(more uint64, changes ...port.Change) port.Page {
	return port.Page{Changes: changes, More: more}
}

// timeless takes out of a page when its changes were written.
func timeless(p port.Page) port.Page {
	for i := range p.Changes {
		p.Changes[i].Written = time.Time{}
	}
	return p
}

func change(key, value string, rev uint64) port.Change {
	c := port.Change{Key: key, Entry: port.Entry{Value: []byte(value), Revision: rev}}
	if value == "-" {
		c.Value = nil
	}
	return c
}

// testChanges: each key comes once, with its last change, in the order of those, marks too, and only above the sequence
// that was asked for and below the filter. Each tells when it was written.
func testChanges(t *testing.T, s Stores) {
	t.Helper()
	began := time.Now().Round(0) // the store's clock knows no monotonic time
	list := func(filter string, after uint64, limit int, want port.Page) {
		t.Helper()
		reads(t, s, fmt.Sprintf("Changes of %s above %d", filter, after), want, func(ctx context.Context, s Store) (port.Page, error) {
			p, err := s.Changes(ctx, filter, after, limit)
			last := began
			for _, c := range p.Changes {
				if c.Written.Before(last) || c.Written.After(time.Now()) {
					t.Errorf("%s was written at %v; the one before at %v, and it is %v", c.Key, c.Written, last, time.Now())
				}
				last = c.Written
			}
			return timeless(p), err
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
		write(t, s.A, fmt.Sprintf("n.s.%d", i), 0, strconv.Itoa(i))
	}
	for _, limit := range []int{97, 1024, 5000} {
		for ctx := wait(t); ; {
			got := 0
			pages := collect(t, s.B, min(limit, 1024), func(c port.Change) {
				if c.Key != fmt.Sprintf("n.s.%d", got) || string(c.Value) != strconv.Itoa(got) {
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

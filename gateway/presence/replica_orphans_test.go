package presence_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// overBoth runs f over three nodes with a store and over three in a mesh, after the scans of their start.
func overBoth(t *testing.T, f func(t *testing.T, w *whole)) {
	t.Helper()
	for name, mesh := range map[string]bool{"store": false, "mesh": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				space, err := names.NewSpace("sw", "main")
				if err != nil {
					t.Fatal(err)
				}
				w := &whole{space: space}
				net := memory.NewNetwork(0)
				for range 3 {
					w.start(t, net, mesh)
				}
				time.Sleep(2 * time.Minute)
				f(t, w)
				for _, n := range w.nodes {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					n.t.Stop(ctx)
					cancel()
					n.end()
				}
			})
		})
	}
}

// write commits private data of users, and nothing else: the node dies, or is held up, before the touch.
func (n *real) write(t *testing.T, us ...names.UserID) {
	t.Helper()
	body := ""
	for i, u := range us {
		if i > 0 {
			body += ","
		}
		body += fmt.Sprintf(`%q:{"q":{"n_counter":%d}}`, u, time.Now().UnixMilli())
	}
	d, err := lattice.ParseDelta([]byte(`{"private":{`+body+`}}`), time.Now().UnixMilli(), lattice.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.set.Update(t.Context(), "desk.queues", d); err != nil {
		t.Fatal(err)
	}
}

// wantData tells whose private data there is.
func (n *real) wantData(t *testing.T, when string, want ...names.UserID) {
	t.Helper()
	var got []names.UserID
	err := n.set.ScanPrivate(t.Context(), func(us []names.UserID) error {
		got = append(got, us...)
		return nil
	})
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: data of %q, want %q, %v", when, got, want, err)
	}
}

// TestNodeDiesAfterItsAnswer: a node dies right after it has acknowledged private data of users who never come. The data
// lives for a grace, and not for ever (protocol §12.3, weakness 18).
func TestNodeDiesAfterItsAnswer(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *whole) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		c.join(t, "here", time.Hour)
		a.write(t, "here", "u1", "u2", "u3")
		w.mu.Lock()
		a.down = true
		w.mu.Unlock()
		a.bus.SetDown(true)
		time.Sleep(70 * time.Second)
		b.wantData(t, "within the grace", "here", "u1", "u2", "u3")
		time.Sleep(50 * time.Second)
		b.wantData(t, "after the grace", "here")
		time.Sleep(10 * time.Minute)
		c.wantData(t, "much later", "here")
	})
}

// TestTouchComesLate: data that was acknowledged a moment before a purge stays for a grace, although the record does not
// tell of it; then it goes.
func TestTouchComesLate(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *whole) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		users := []names.UserID{"u1", "u2", "u3", "u4"} // whoever owns them
		for _, u := range users {
			a.join(t, u, time.Second)
			a.write(t, u)
			w.mu.Lock()
			delete(a.here, u)
			w.mu.Unlock()
			a.t.Parted(u)
		}
		time.Sleep(time.Minute - 10*time.Millisecond)
		b.write(t, "u1", "u3")
		time.Sleep(time.Minute - time.Second)
		c.wantData(t, "within the grace of the later", "u1", "u3")
		time.Sleep(33 * time.Second)
		c.wantData(t, "after it")
	})
}

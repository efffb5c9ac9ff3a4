package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// lose has a node's announcements disappear on their way.
func (c *cluster) lose(from *node) {
	f := func(n *node, m port.Message) bool { return n == from && strings.Contains(m.Subject, ".lat.") }
	c.fault.Store(&f)
}

func pair(t *testing.T) (c *cluster, a, b *node) {
	t.Helper()
	c = newCluster(t, false, 2)
	t.Cleanup(c.stop)
	return c, c.nodes[0], c.nodes[1]
}

// TestHole: a node that misses an announcement sees the hole in the sequence and reads what is missing.
func TestHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.expect(t, `={"q:1":{"n_counter":1}}`)
		time.Sleep(5 * time.Second)
		c.lose(a)
		a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
		c.fault.Store(nil)
		ann.expect(t)
		a.update(`{"shared":{"q:2":{"n_counter":1}}}`)
		time.Sleep(1100 * time.Millisecond)
		ann.expect(t, `{"q:1":{"n_counter":2}}`)

		// The same without any later announcement: by the beat of the node that wrote.
		c.lose(a)
		a.update(`{"shared":{"q:1":{"n_counter":3}}}`)
		c.fault.Store(nil)
		time.Sleep(2200 * time.Millisecond)
		ann.expect(t, `{"q:1":{"n_counter":3}}`)

		// And when the writer dies before it announces: by the look every five seconds.
		c.lose(a)
		a.update(`{"shared":{"q:1":{"n_counter":4}}}`)
		a.kill()
		time.Sleep(12 * time.Second)
		ann.expect(t, `{"q:1":{"n_counter":4}}`)
	})
}

// TestReadyFollowsTheStore: a store that cannot be reached shows, and so does that it is back.
func TestReadyFollowsTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _ := pair(t)
		store := c.net.Store("main")
		time.Sleep(5 * time.Second)
		for range 2 {
			if !a.set.Ready() {
				t.Fatal("not ready")
			}
			store.SetDown(true)
			time.Sleep(11 * time.Second)
			if a.set.Ready() {
				t.Error("ready without store")
			}
			store.SetDown(false)
			time.Sleep(1100 * time.Millisecond)
		}
	})
}

// TestRetryRepairs: what nobody heard of is announced again when the backend repeats it.
func TestRetryRepairs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		ann := b.open("ann")
		ann.take()
		c.lose(a)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":2}}}}`)
		c.fault.Store(nil)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":2}}}}`)
		ann.expect(t, `{"q:1":{"n_counter":2}}`)
	})
}

// TestCutNode: a node that was cut off reads what it missed when it is back.
func TestCutNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(2 * time.Second) // the second read is over
		b.bus.SetDown(true)
		if err := b.try(`{"shared":{"q:1":{"n_counter":9}}}`); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("update while NATS is away: %v", err)
		}
		a.update(`{"shared":{"q:1":{"n_counter":2}},"private":{"ann":{"q:2":{"n_counter":1}}}}`)
		time.Sleep(20*time.Second + 500*time.Millisecond)
		ann.expect(t)
		b.bus.SetDown(false)
		time.Sleep(900 * time.Millisecond) // no beat would tell by then
		got := ann.take()
		if text := ann.text(); text != `q:1{n_counter=2 } q:2{n_counter=1 } ` {
			t.Errorf("after the cut: %s, frames %q", text, got)
		}
		b.update(`{"shared":{"q:1":{"n_counter":3}}}`)
		ann.expect(t, `{"q:1":{"n_counter":3}}`)
	})
}

// TestLongCut: the mark of a removal is past when the node is back; it drops its copy all the same, and a new life of
// the document does not mix with it.
func TestLongCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":7}},"private":{"ann":{"q:1":{"m_counter":5},"q:2":{}},"bob":{"q:1":{}}}}`)
		ann, bob := b.open("ann"), b.open("bob")
		b.bus.SetDown(true)
		if err := a.purge("ann"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		a.update(`{"private":{"ann":{"q:1":{"m_counter":1}}}}`)
		if err := a.purge("bob"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		b.bus.SetDown(false)
		time.Sleep(3 * time.Second)
		if s := string(ann.view.Snapshot(nil)); s != `{"q:1":{"m_counter":1,"n_counter":7}}` {
			t.Errorf("ann: %s", s)
		}
		if s := string(bob.view.Snapshot(nil)); s != `{}` {
			t.Errorf("bob: %s", s)
		}
		// The numbers of the marks are nowhere to be found any more; it does not look for them for ever.
		count := c.count()
		time.Sleep(30 * time.Second)
		if n := count.of(memory.OpChanges); n > 3 {
			t.Errorf("%d catch-ups with nothing to catch up", n)
		}
	})
}

// TestRepeatClosesNoHole: what somebody repeats of a commit that was not heard of is not all of it.
func TestRepeatClosesNoHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 3)
		defer c.stop()
		a, b, d := c.nodes[0], c.nodes[1], c.nodes[2]
		a.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(2 * time.Second)
		c.lose(a)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":2}}}}`)
		c.fault.Store(nil)
		d.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		ann.expect(t)
		time.Sleep(5 * time.Second)
		ann.expect(t, `{"q:1":{"n_counter":2}}`)
	})
}

// TestRemovalHeardLate: the announcement of a new life overtakes that of the removal; what is left of the old one goes.
func TestRemovalHeardLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 3)
		defer c.stop()
		a, b, d := c.nodes[0], c.nodes[1], c.nodes[2]
		a.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(2 * time.Second)
		a.bus.SetDelay(300 * time.Millisecond)
		purged := make(chan error, 1)
		go func() { purged <- a.purge("ann") }()
		time.Sleep(700 * time.Millisecond) // found and removed, but not announced to the others
		d.update(`{"private":{"ann":{"q:2":{"n_counter":1}}}}`)
		ann.expect(t, `{"q:2":{"n_counter":1}}`)
		if err := <-purged; err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if s := string(ann.view.Snapshot(nil)); s != `{"q:2":{"n_counter":1}}` {
			t.Errorf("after the purge: %s", s)
		}
	})
}

// TestPurge: a removal is announced; a write right after it begins a new life.
func TestPurge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":5},"q:2":{"n_counter":5}}}}`)
		ann := b.open("ann")
		ann.take()
		purge := func() {
			t.Helper()
			if err := a.purge("ann"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		purge()
		if s := string(ann.view.Snapshot(nil)); s != `{}` {
			t.Errorf("after the purge: %s", s)
		}
		b.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		ann.expect(t, `{"q:1":{"n_counter":1}}`)

		// The announcement of the removal is lost, that of the new life is not.
		c.lose(a)
		purge()
		c.fault.Store(nil)
		a.update(`{"private":{"ann":{"q:2":{"n_counter":1}}}}`)
		time.Sleep(3 * time.Second)
		if s := string(ann.view.Snapshot(nil)); s != `{"q:2":{"n_counter":1}}` {
			t.Errorf("after the new life: %s", s)
		}
	})
}

// TestStoreLost: the store is emptied, or restored from an old copy; the nodes write back what they have.
func TestStoreLost(t *testing.T) {
	for _, empty := range []bool{true, false} {
		t.Run(fmt.Sprint("empty=", empty), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, a, b := pair(t)
				store := c.net.Store("main")
				a.update(`{"shared":{"q:1":{"n_counter":1,"s_set":["a"]}},"private":{"ann":{"q:1":{}}}}`)
				saved := store.Save()
				ann, ann2 := a.open("ann"), b.open("ann")
				for i := range 20 {
					a.update(fmt.Sprintf(`{"shared":{"q:1":{"n_counter":%d}}}`, i))
				}
				a.update(`{"private":{"ann":{"q:2":{"n_counter":1}}}}`)
				if _, err := a.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(`1`), 0 }); err != nil {
					t.Fatal(err)
				}
				if empty {
					saved = memory.Backup{}
				}
				store.Restore(saved)
				// Somebody writes before anybody has noticed.
				b.update(`{"shared":{"q:1":{"s_set":["b"]}}}`)
				time.Sleep(25 * time.Second)
				want := `{"q:1":{"n_counter":19,"s_set":["a","b"]},"q:2":{"n_counter":1}}`
				for _, x := range []*client{ann, ann2} {
					if s := string(x.view.Snapshot(nil)); s != want {
						t.Errorf("view: %s", s)
					}
				}
				late := c.start()
				c.nodes = append(c.nodes, late)
				late.open("ann").expect(t, "="+want)
				if r, err := late.set.LoadRecords(t.Context(), []names.UserID{"ann"}); err != nil || string(r[0]) != "1" {
					t.Errorf("record: %s, %v", r, err)
				}
				for _, n := range []*node{a, b} {
					n.mu.Lock()
					if n.lost != 1 {
						t.Errorf("told %d times", n.lost)
					}
					n.mu.Unlock()
				}
				// Sequences go on from the new ones.
				b.update(`{"shared":{"q:1":{"n_counter":50}}}`)
				ann.take()
				time.Sleep(time.Minute)
				ann.expect(t)
			})
		})
	}
}

func TestDegraded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		ann, ann2 := a.open("ann"), b.open("ann")
		ann.take()
		ann2.take()
		store := c.net.Store("main")
		store.SetDown(true)
		for _, body := range []string{`{"shared":{"q:1":{"n_counter":2}}}`, `{"shared":{"q:1":{"n_counter":2}},"private":{"ann":{"q:1":{"m_counter":2}}}}`} {
			begun := time.Now()
			if err := a.try(body); !errors.Is(err, port.ErrUnavailable) || time.Since(begun) > 0 {
				t.Errorf("refuse: %v after %v", err, time.Since(begun))
			}
		}
		ann.expect(t)
		accept := c.cfg
		accept.LatticeDegraded = "accept"
		a.set.Apply(accept)
		for _, body := range []string{`{"shared":{"q:1":{"n_counter":3}}}`, `{"shared":{"q:1":{"n_counter":4}},"private":{"ann":{"q:1":{"m_counter":4}}}}`} {
			a.update(body)
		}
		ann.expect(t, `{"q:1":{"n_counter":3}}`, `{"q:1":{"m_counter":4,"n_counter":4}}`)
		ann2.expect(t, `{"q:1":{"n_counter":3}}`, `{"q:1":{"m_counter":4,"n_counter":4}}`)
		time.Sleep(time.Minute)
		store.SetDown(false)
		time.Sleep(10 * time.Second)
		ann.expect(t)
		ann2.expect(t)
		late := c.start()
		c.nodes = append(c.nodes, late)
		late.open("ann").expect(t, `={"q:1":{"m_counter":4,"n_counter":4}}`)
	})
}

// TestEnds: a key is hidden when it ends, on every node, and may begin again below its old values.
func TestEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":5,"expires_in":"10s"},"q:2":{"n_counter":5}},"private":{"ann":{"q:1":{},"q:2":{"m_counter":5,"expires_in":"20s"},"q:3":{}}}}`)
		ann := b.open("ann")
		ann.expect(t, `={"q:1":{"n_counter":5},"q:2":{"m_counter":5,"n_counter":5},"q:3":{}}`)
		snapshot := func(want string) {
			t.Helper()
			if s := string(ann.view.Snapshot(nil)); s != want {
				t.Errorf("at %v: %s, want %s", time.Now(), s, want)
			}
		}
		time.Sleep(9 * time.Second)
		snapshot(`{"q:1":{"n_counter":5},"q:2":{"m_counter":5,"n_counter":5},"q:3":{}}`)
		time.Sleep(1001 * time.Millisecond)
		snapshot(`{"q:1":{},"q:2":{"m_counter":5,"n_counter":5},"q:3":{}}`)
		ann.expect(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}}}`)
		ann.expect(t, `{"q:1":{"n_counter":1}}`)
		time.Sleep(10 * time.Second)
		snapshot(`{"q:1":{"n_counter":1},"q:3":{}}`)
		a.update(`{"shared":{"q:2":{"n_counter":6}}}`)
		ann.expect(t) // not visible any more
		a.update(`{"private":{"ann":{"q:2":{"m_counter":2}}}}`)
		ann.expect(t, `{"q:2":{"m_counter":2,"n_counter":6}}`)
		time.Sleep(15 * time.Minute)
		snapshot(`{"q:1":{"n_counter":1},"q:2":{"m_counter":2,"n_counter":6},"q:3":{}}`)
		ann.expect(t)
	})
}

// TestSweep: a shared key that nobody looks at for shared-grace is removed; one that somebody looks at is not.
func TestSweep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":5},"q:2":{"n_counter":5},"q:3":{"n_counter":5}},"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		time.Sleep(9 * time.Minute)
		a.update(`{"shared":{"q:3":{"n_counter":6}}}`) // its time begins again
		time.Sleep(8 * time.Minute)
		if want := []string{"desk=2Equeues.p.ann", "desk=2Equeues.s.q=3A1", "desk=2Equeues.s.q=3A3"}; !slices.Equal(c.keys(t), want) {
			t.Errorf("left: %q", c.keys(t))
		}
		time.Sleep(8 * time.Minute)
		names := c.keys(t)
		if want := []string{"desk=2Equeues.p.ann", "desk=2Equeues.s.q=3A1"}; !slices.Equal(names, want) {
			t.Errorf("left: %q", names)
		}
		ann.close()
		time.Sleep(25 * time.Minute)
		if names := c.keys(t); !slices.Equal(names, []string{"desk=2Equeues.p.ann"}) {
			t.Errorf("left: %q", names)
		}
	})
}

// keys lists what the store holds.
func (c *cluster) keys(t *testing.T) (out []string) {
	t.Helper()
	page, err := c.net.Store("main").Changes(t.Context(), ">", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range page.Changes {
		if ch.Value != nil {
			out = append(out, ch.Key)
		}
	}
	slices.Sort(out)
	return out
}

func TestRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		add := func(n *node, text string) string {
			t.Helper()
			got, err := n.set.ChangeRecord(t.Context(), "ann", func(old []byte) ([]byte, time.Duration) {
				if bytes.Contains(old, []byte(text)) {
					return nil, 0
				}
				return fmt.Appendf(nil, `"%s%s"`, strings.Trim(string(old), `"`), text), time.Hour
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(got)
		}
		if got := add(a, "x"); got != `"x"` {
			t.Error(got)
		}
		if got := add(b, "y"); got != `"xy"` {
			t.Error(got)
		}
		if got := add(b, "y"); got != `"xy"` {
			t.Error(got)
		}
		synctest.Wait()
		if want := []string{`ann="x"`}; !slices.Equal(b.allRecords(), want) {
			t.Errorf("b heard %q", b.allRecords())
		}
		if want := []string{`ann="xy"`}; !slices.Equal(a.allRecords(), want) {
			t.Errorf("a heard %q", a.allRecords())
		}
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() { add(c.nodes[i%2], fmt.Sprintf("<%d>", i)) })
		}
		wg.Wait()
		all, err := a.set.LoadRecords(t.Context(), []names.UserID{"nobody", "ann"})
		if err != nil || all[0] != nil || len(all[1]) != len(`"xy"`)+10*3+40*4 {
			t.Errorf("records: %q, %v", all, err)
		}
		// A lost announcement is made up for.
		c.lose(a)
		add(a, "z")
		c.fault.Store(nil)
		time.Sleep(3 * time.Second)
		if last := b.lastRecord(); !strings.HasSuffix(last, `z"`) {
			t.Errorf("b heard last: %s", last)
		}
		count := 0
		if err := b.set.ScanRecords(t.Context(), func(u names.UserID, _ []byte) { count++ }); err != nil || count != 1 {
			t.Errorf("%d records, %v", count, err)
		}
		time.Sleep(2 * time.Hour)
		if last := b.lastRecord(); last != "ann=" {
			t.Errorf("b heard last: %s", last)
		}
	})
}

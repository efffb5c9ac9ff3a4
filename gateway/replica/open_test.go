package replica_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// accesses counts accesses to the store.
type accesses struct {
	mu     sync.Mutex // guards the following
	counts map[memory.Op]int
}

func (a *accesses) of(op memory.Op) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[op]
}

func (c *cluster) count() *accesses {
	a := &accesses{counts: map[memory.Op]int{}}
	c.net.Store("main").SetFault(func(op memory.Op, _ string) memory.Fault {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.counts[op]++
		return memory.FaultNone
	})
	return a
}

// TestOpenShares: Opens of the same view share one load, each view costs one Get and at most one GetMany, and at most 64
// are loaded at a time.
func TestOpenShares(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _ := pair(t)
		const users = 500
		body := `{"shared":{"k1":{"n_counter":1},"k2":{"n_counter":2}},"private":{`
		for i := range users {
			body += fmt.Sprintf(`"u%d":{"k1":{},"k2":{},"own%d":{"m_counter":1}},`, i, i)
		}
		a.update(strings.TrimSuffix(body, ",") + "}}")
		late := c.start()
		c.nodes = append(c.nodes, late)
		synctest.Wait()
		count := c.count()
		c.net.Store("main").SetDelay(10 * time.Millisecond)
		begun := time.Now()
		var wg sync.WaitGroup
		var failed atomic.Int64
		for i := range 3 * users {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				v, err := late.set.Open(ctx, ns, names.UserID(fmt.Sprintf("u%d", i%users)))
				if err != nil || string(v.Snapshot(nil)) != fmt.Sprintf(`{"k1":{"n_counter":1},"k2":{"n_counter":2},"own%d":{"m_counter":1}}`, i%users) {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		// 500 views, 64 at a time, each two reads of 10 ms.
		if took := time.Since(begun); failed.Load() != 0 || took < 150*time.Millisecond || took > 170*time.Millisecond {
			t.Errorf("%d failed, %v", failed.Load(), took)
		}
		// The 64 loads of a batch may each read the shared keys.
		if gets, many := count.of(memory.OpGet), count.of(memory.OpGetMany); gets < users || gets+many > 2*users {
			t.Errorf("%d Get, %d GetMany", gets, many)
		}
		before := count.of(memory.OpGet) + count.of(memory.OpGetMany)
		time.Sleep(5 * time.Second)
		// Once more, because replicas may lag: 1,002 documents, 128 at a time, in steps of 100 ms.
		if again := count.of(memory.OpGet) + count.of(memory.OpGetMany) - before; again < 8 || again > 14 {
			t.Errorf("%d reads for the second look", again)
		}
	})
}

func TestOpenFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"q:1":{}}}}`)
		store := c.net.Store("main")
		store.SetDown(true)
		if _, err := b.tryOpen("ann"); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("store down: %v", err)
		}
		store.SetDown(false)
		store.SetDelay(time.Minute)
		begun := time.Now()
		if _, err := b.tryOpen("ann"); !errors.Is(err, port.ErrTimeout) || time.Since(begun) != 2*time.Second {
			t.Errorf("store silent: %v after %v", err, time.Since(begun))
		}
		store.SetDelay(0)
		time.Sleep(10 * time.Second)
		b.open("ann").expect(t, `={"q:1":{}}`)
	})
}

// TestLaggingReplica: what a lagging replica did not show comes with the second read.
func TestLaggingReplica(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		time.Sleep(time.Second)
		c.net.Store("main").SetLag(time.Second)
		a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
		synctest.Wait()
		ann := b.open("ann")
		ann.expect(t, `={"q:1":{"n_counter":1}}`)
		time.Sleep(time.Second)
		ann.expect(t, `{"q:1":{"n_counter":2}}`)
	})
}

// TestSecondReads: what was read is read once more, a bounded number of documents at a time, unless no replica can lag.
func TestSecondReads(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprint("alone ", alone), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const keys = 300
				c, a, b := pair(t)
				if alone {
					c.net.Store("main").SetAlone()
				}
				shared, private := map[string]any{}, map[string]any{}
				for i := range keys {
					key := fmt.Sprintf("q:%d", i)
					shared[key], private[key] = map[string]any{"n_counter": 1}, map[string]any{}
				}
				body, err := json.Marshal(map[string]any{"shared": shared, "private": map[string]any{"ann": private}})
				if err != nil {
					t.Fatal(err)
				}
				a.update(string(body))
				time.Sleep(5 * time.Second)
				count := c.count()
				reads := func() int { return count.of(memory.OpGet) + count.of(memory.OpGetMany) }
				ann := b.open("ann")
				synctest.Wait()
				if n := reads(); n != 2 {
					t.Errorf("%d reads to open the view, not one of the private document and one of the shared ones", n)
				}
				ann.take()
				time.Sleep(3 * time.Second)
				want := 2 + 1 + (keys+1-1)/128 // 301 documents, 128 at a time
				if alone {
					want = 2
				}
				if n := reads(); n != want {
					t.Errorf("%d reads in all, want %d", n, want)
				}
			})
		})
	}
}

// TestLaggingALittle: a replica that lags a little is waited for: what was acknowledged before a view is opened, by
// whichever node, is in it, and so is a record.
func TestLaggingALittle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		record := func(text string) {
			t.Helper()
			_, err := a.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(text), 0 })
			if err != nil {
				t.Fatal(err)
			}
		}
		record(`1`)
		time.Sleep(5 * time.Second)
		c.net.Store("main").SetLag(100 * time.Millisecond)
		a.update(`{"shared":{"q:1":{"n_counter":2},"q:2":{"n_counter":3}},"private":{"ann":{"q:2":{}}}}`)
		record(`2`)
		synctest.Wait()
		if r, err := b.set.LoadRecords(t.Context(), []names.UserID{"ann"}); err != nil || string(r[0]) != `2` {
			t.Errorf("record %s, %v", r, err)
		}
		for i, n := range []*node{b, a} {
			time.Sleep(5 * time.Second)
			a.update(fmt.Sprintf(`{"shared":{"q:1":{"n_counter":%d},"q:3":{"n_counter":%d}},"private":{"ann":{"q:3":{"m_counter":%d}}}}`, 4+i, 5+i, 1+i))
			synctest.Wait()
			n.open("ann").expect(t, fmt.Sprintf(`={"q:1":{"n_counter":%d},"q:2":{"n_counter":3},"q:3":{"m_counter":%d,"n_counter":%d}}`, 4+i, 1+i, 5+i))
		}
	})
}

// TestNewlyVisible: a key that becomes visible brings all of its shared variables in one Change, also where they have to
// be loaded first; what comes meanwhile waits behind it, and Update returns when it is delivered.
func TestNewlyVisible(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1},"q:2":{"n_counter":2,"s_set":["a"]}},"private":{"ann":{"q:1":{}}}}`)
		ann, ann2 := a.open("ann"), b.open("ann")
		ann.take()
		ann2.take()
		time.Sleep(2 * time.Second)
		c.net.Store("main").SetDelay(100 * time.Millisecond)
		begun := time.Now()
		a.update(`{"shared":{"q:1":{"n_counter":5}},"private":{"ann":{"q:2":{"m_counter":1}}}}`)
		if d := time.Since(begun); d != 300*time.Millisecond { // check, commit, load
			t.Errorf("took %v", d)
		}
		want := `{"q:2":{"m_counter":1,"n_counter":2,"s_set":["a"]},"q:1":{"n_counter":5}}`
		ann.expect(t, want)
		time.Sleep(time.Second)
		ann2.expect(t, want)

		// While q:3 is loaded on b, more happens.
		a.update(`{"shared":{"q:3":{"n_counter":1}}}`)
		load := make(chan struct{})
		c.net.Store("main").SetFault(func(op memory.Op, key string) memory.Fault {
			if op != memory.OpWrite && strings.HasSuffix(key, "q=3A3") {
				select {
				case <-load:
				default:
					return memory.FaultRefused
				}
			}
			return memory.FaultNone
		})
		go a.update(`{"private":{"ann":{"q:3":{}}}}`)
		time.Sleep(300 * time.Millisecond) // committed and announced, not loaded
		ann2.expect(t)
		go a.update(`{"shared":{"q:1":{"n_counter":6}}}`)
		time.Sleep(300 * time.Millisecond)
		ann2.expect(t) // it waits in its turn
		close(load)
		go a.update(`{"shared":{"q:3":{"n_counter":2}}}`)
		time.Sleep(3 * time.Second)
		for _, x := range []*client{ann, ann2} {
			frames := x.take()
			if len(frames) == 0 || !strings.HasPrefix(frames[0], `{"q:3":{"n_counter":`) {
				t.Errorf("frames %q", frames)
			}
			if text := x.text(); text != `q:1{n_counter=6 } q:2{m_counter=1 n_counter=2 s_set=["a"] } q:3{n_counter=2 } ` {
				t.Errorf("sees %s", text)
			}
		}
	})
}

// TestHeldOverflow: when more waits for a load than is held, the view gets its whole state in one Change.
func TestHeldOverflow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:2":{"n_counter":2}},"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(2 * time.Second)
		c.net.Store("main").SetFault(func(op memory.Op, key string) memory.Fault {
			if op == memory.OpGet && strings.Contains(key, ".s.") {
				return memory.FaultRefused
			}
			return memory.FaultNone
		})
		a.update(`{"private":{"ann":{"q:2":{}}}}`)
		for i := range 1000 {
			a.update(fmt.Sprintf(`{"private":{"ann":{"q:1":{"m_counter":%d}}}}`, i))
		}
		ann.expect(t)
		c.net.Store("main").SetFault(nil)
		time.Sleep(time.Second)
		if frames := ann.take(); len(frames) > 300 || ann.text() != `q:1{m_counter=999 } q:2{n_counter=2 } ` {
			t.Errorf("%d frames, sees %s", len(frames), ann.text())
		}
	})
}

// TestViewDropped: what nobody looks at any more is forgotten after a grace, and loaded anew.
func TestViewDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		doc := []names.Doc{names.SharedOf(ns, "q:1")}
		ann.close()
		time.Sleep(9 * time.Second)
		if !b.set.Viewed(doc)[0] {
			t.Error("dropped before its grace")
		}
		count := c.count()
		ann = b.open("ann")
		ann.close()
		time.Sleep(9 * time.Second)
		if n := count.of(memory.OpGet); !b.set.Viewed(doc)[0] || n != 0 {
			t.Errorf("dropped before its grace, %d reads", n)
		}
		time.Sleep(2 * time.Second)
		if b.set.Viewed(doc)[0] {
			t.Error("not dropped")
		}
		a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
		b.open("ann").expect(t, `={"q:1":{"n_counter":2}}`)
	})
}

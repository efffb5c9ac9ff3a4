package replica_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// TestCombine: changes that come while a commit runs are committed together, and each waiter gets its own outcome.
func TestCombine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		c.limits.MaxSetSize = 3
		a.update(`{"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(time.Minute)
		count := c.count()
		c.net.Store("main").SetDelay(10 * time.Millisecond)
		results := make([]error, 100)
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				body := fmt.Sprintf(`{"private":{"ann":{"q:1":{"n%d_counter":%d}}}}`, i, i)
				if i%10 == 7 {
					body = fmt.Sprintf(`{"private":{"ann":{"q:1":{"s_set":["%d","a","b"]}}}}`, i)
				}
				results[i] = a.try(body)
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		wg.Wait()
		// One read, one write for the first; one write for all that came meanwhile.
		if took := time.Since(begun); took != 30*time.Millisecond || count.of(memory.OpWrite) != 2 || count.of(memory.OpGet) != 1 {
			t.Errorf("%v, %v", took, count.counts)
		}
		limited := 0
		for i, err := range results {
			if errors.Is(err, port.ErrLimit) && i%10 == 7 {
				limited++
			} else if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if limited != 9 {
			t.Errorf("%d were left out for the limit, want all sets but one", limited)
		}
		if frames := ann.take(); len(frames) != 2 || strings.Count(frames[1], "_counter") != 89 || strings.Count(frames[1], "s_set") != 1 {
			t.Errorf("frames %q", frames)
		}
	})
}

// TestSharedRound: updates of several documents that share rounds are all acknowledged, and each document is announced
// once.
func TestSharedRound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"k0":{},"k1":{},"k2":{},"k3":{}}}}`)
		ann, ann2 := a.open("ann"), b.open("ann")
		ann.take()
		ann2.take()
		time.Sleep(2 * time.Second)
		c.net.Store("main").SetDelay(3 * time.Millisecond)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				body := fmt.Sprintf(`{"shared":{"k%d":{"n_counter":%d},"k%d":{"n_counter":%d}}}`, i%4, i, (i+1)%4, i)
				if i%3 == 0 {
					body = fmt.Sprintf(`{"shared":{"k%d":{"n_counter":%d}}}`, i%4, i)
				}
				if err := a.try(body); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		want := `k0{n_counter=59 } k1{n_counter=57 } k2{n_counter=58 } k3{n_counter=59 } `
		for _, x := range []*client{ann, ann2} {
			if frames := x.take(); x.text() != want || len(frames) > 60 {
				t.Errorf("%d frames, sees %s", len(frames), x.text())
			}
		}
	})
}

// TestUnsureCommit: a write whose answer is lost is found, and nothing is lost or doubled.
func TestUnsureCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.take()
		c.net.Store("main").LoseAnswers(2)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":2}}}}`)
		ann.expect(t, `{"q:1":{"n_counter":1}}`, `{"q:1":{"n_counter":2}}`)
		// No answer at all until the end.
		c.net.Store("main").SetFault(func(op memory.Op, _ string) memory.Fault {
			if op == memory.OpWrite {
				return memory.FaultLost
			}
			return memory.FaultNone
		})
		begun := time.Now()
		if err := a.try(`{"private":{"ann":{"q:1":{"n_counter":3}}}}`); !errors.Is(err, port.ErrTimeout) || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		time.Sleep(time.Second) // it goes on a little longer, to learn the outcome
		c.net.Store("main").SetFault(nil)
		time.Sleep(time.Minute)
		ann.expect(t)
	})
}

// TestHalfUpdate: one document of an update is committed, the other cannot be: the update fails, and what is committed
// is announced.
func TestHalfUpdate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"k1":{},"k2":{}}}}`)
		ann, ann2 := a.open("ann"), b.open("ann")
		ann.take()
		ann2.take()
		for _, fault := range []memory.Fault{memory.FaultRefused, memory.FaultLost} {
			c.net.Store("main").SetFault(func(op memory.Op, key string) memory.Fault {
				if op == memory.OpWrite && strings.HasSuffix(key, "k2") {
					return fault
				}
				return memory.FaultNone
			})
			want := map[memory.Fault]error{memory.FaultRefused: port.ErrUnavailable, memory.FaultLost: port.ErrTimeout}[fault]
			err := a.try(fmt.Sprintf(`{"shared":{"k1":{"n_counter":%d},"k2":{"n_counter":%d}}}`, fault, fault))
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			for _, x := range []*client{ann, ann2} {
				x.expect(t, fmt.Sprintf(`{"k1":{"n_counter":%d}}`, fault))
			}
		}
		time.Sleep(time.Minute)
		ann2.expect(t)
	})
}

// TestOrphan: an update is given up while its documents are being committed: whatever is committed is announced.
func TestOrphan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"private":{"ann":{"k1":{},"k2":{}}}}`)
		ann := b.open("ann")
		ann.take()
		time.Sleep(2 * time.Second)
		c.net.Store("main").SetDelay(300 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		// It is checked, its namespace is counted, and at 900 ms it is committed.
		err := a.set.Update(ctx, ns, parse(t, `{"shared":{"k1":{"n_counter":1},"k2":{"n_counter":2}}}`))
		if !errors.Is(err, port.ErrTimeout) {
			t.Errorf("%v", err)
		}
		ann.expect(t)
		time.Sleep(150 * time.Millisecond)
		ann.take()
		if ann.text() != `k1{n_counter=1 } k2{n_counter=2 } ` {
			t.Errorf("sees %s", ann.text())
		}
	})
}

func TestStoreFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _ := pair(t)
		a.update(`{"private":{"ann":{"k1":{}}}}`)
		ann := a.open("ann")
		ann.take()
		c.net.Store("main").SetMaxBytes(1)
		if err := a.try(`{"shared":{"k1":{"n_counter":1}}}`); !errors.Is(err, port.ErrStoreFull) {
			t.Errorf("%v", err)
		}
		ann.expect(t)
		c.net.Store("main").SetMaxBytes(0)
		a.update(`{"shared":{"k1":{"n_counter":1}}}`)
		ann.expect(t, `{"k1":{"n_counter":1}}`)
	})
}

// TestStop: whoever waits is told, and nothing runs any more (goleak).
func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _ := pair(t)
		c.net.Store("main").SetDelay(time.Hour)
		failed := make(chan error, 2)
		go func() { failed <- a.try(`{"shared":{"k1":{"n_counter":1}}}`) }()
		go func() { _, err := a.tryOpen("ann"); failed <- err }()
		time.Sleep(time.Millisecond)
		begun := time.Now()
		a.stop()
		for range 2 {
			if err := <-failed; err == nil {
				t.Error("nil")
			}
		}
		if time.Since(begun) > 0 {
			t.Errorf("took %v", time.Since(begun))
		}
		if err := a.try(`{"shared":{"k1":{"n_counter":1}}}`); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("after Stop: %v", err)
		}
		if _, err := a.tryOpen("ann"); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("after Stop: %v", err)
		}
	})
}

// TestTooLarge: a change that makes a document too large for the store is left out, the others go on.
func TestTooLarge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newSized(t, false, 1, 100<<10)
		defer c.stop()
		a := c.nodes[0]
		c.limits.MaxValueSize = 1 << 20
		a.update(`{"private":{"ann":{"k1":{}}}}`)
		ann := a.open("ann")
		ann.take()
		time.Sleep(time.Minute)
		c.net.Store("main").SetDelay(10 * time.Millisecond)
		update := func(body string) error {
			d, err := lattice.ParseDelta([]byte(body), time.Now().UnixMilli(), c.limits)
			if err != nil {
				t.Fatal(err)
			}
			return a.set.Update(t.Context(), ns, d)
		}
		big := fmt.Sprintf(`{"shared":{"k1":{"r_register":[1,%q]}}}`, strings.Repeat("x", 200<<10))
		if err := update(big); !errors.Is(err, port.ErrTooLarge) {
			t.Errorf("alone: %v", err)
		}
		results := make([]error, 5)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				if body := fmt.Sprintf(`{"shared":{"k1":{"n_counter":%d}}}`, i); i != 3 {
					results[i] = update(body)
				} else {
					results[i] = update(big)
				}
			})
		}
		wg.Wait()
		for i, err := range results {
			if errors.Is(err, port.ErrTooLarge) != (i == 3) || i != 3 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		ann.take()
		if ann.text() != `k1{n_counter=4 } ` {
			t.Errorf("sees %.100s", ann.text())
		}
	})
}

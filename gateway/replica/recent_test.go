package replica_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/names"
)

// TestRecent: a document that was written a moment ago is not read for the next update of it. But nothing is promised
// that only was so a moment ago.
func TestRecent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		key := names.SharedOf(ns, "q:1").StoreKey()
		store := c.net.Store("main")
		var reads, writes atomic.Int64
		store.SetFault(func(op memory.Op, k string) memory.Fault {
			switch {
			case k != key:
			case op == memory.OpWrite:
				writes.Add(1)
			default:
				reads.Add(1)
			}
			return memory.FaultNone
		})
		expect := func(what string, r, w int64) {
			t.Helper()
			synctest.Wait() // announcements have arrived
			if gotR, gotW := reads.Swap(0), writes.Swap(0); gotR != r || gotW != w {
				t.Errorf("%s: %d reads and %d writes instead of %d and %d", what, gotR, gotW, r, w)
			}
		}
		a.update(`{"shared":{"q:1":{"n_counter":1}}}`)
		expect("the first update", 1, 1)
		a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
		expect("right after it", 0, 1)
		time.Sleep(3 * time.Second)
		a.update(`{"shared":{"q:1":{"n_counter":3}}}`)
		expect("later", 1, 1)

		b.update(`{"shared":{"q:1":{"m_counter":1}}}`)
		expect("the other node", 1, 1)
		a.update(`{"shared":{"q:1":{"n_counter":4}}}`)
		expect("after an announcement", 1, 1)

		// Somebody has changed it, which was not heard of here yet: the write fails, and it is read.
		c.lose(b)
		b.update(`{"shared":{"q:1":{"m_counter":2}}}`)
		c.fault.Store(nil)
		expect("the other node again", 1, 1)
		a.update(`{"shared":{"q:1":{"n_counter":5}}}`)
		expect("after a change without announcement", 1, 2)

		// Somebody has removed it: that it held the value a moment ago is no reason to say that it is stored.
		e, err := store.Get(t.Context(), key)
		if err != nil || !strings.Contains(string(e.Value), `"n_counter":5`) || !strings.Contains(string(e.Value), `"m_counter":2`) {
			t.Fatalf("the store has %s, %v", e.Value, err)
		}
		if _, err := store.Delete(t.Context(), key, e.Revision); err != nil {
			t.Fatal(err)
		}
		a.update(`{"shared":{"q:1":{"n_counter":5}}}`)
		if e, err = store.Get(t.Context(), key); err != nil || !strings.Contains(string(e.Value), `"n_counter":5`) {
			t.Errorf("after a removal the store has %s, %v", e.Value, err)
		}
	})
}

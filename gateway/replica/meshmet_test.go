package replica_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestMeshWaitsToMeet: a node that nobody has met yet takes that not for a mesh in which nobody has anything.
func TestMeshWaitsToMeet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _, _ := trio(t)
		a.update(`{"private":{"ann":{"k":{"n_counter":1}}}}`)
		c.unmet.Store(true)
		late := c.start()
		time.Sleep(10 * time.Second)
		if late.set.Ready() {
			t.Fatal("ready before it has met anybody")
		}
		c.unmet.Store(false)
		time.Sleep(time.Second)
		if !late.set.Ready() {
			t.Fatal("not ready although it has met the others")
		}
		c.stop()
		c.nodes = append(c.nodes, late)
		time.Sleep(4 * time.Second)
		late.open("ann").expect(t, `={"k":{"n_counter":1}}`)
	})
}

// TestMeshRecordUnconfirmed: a change of a record that nobody has confirmed is announced again when it is repeated,
// although it finds nothing to do any more (decision D24).
func TestMeshRecordUnconfirmed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, third := trio(t)
		drop := func(from *node, m port.Message) bool {
			return from == a && (strings.Contains(m.Subject, ".lat.") || strings.Contains(m.Subject, ".beat"))
		}
		c.fault.Store(&drop)
		if _, err := a.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(`1`), 0 }); err == nil {
			t.Fatal("nobody can have confirmed it")
		}
		c.fault.Store(nil)
		same := func([]byte) ([]byte, time.Duration) { return nil, 0 }
		if v, err := a.set.ChangeRecord(t.Context(), "ann", same); err != nil || string(v) != "1" {
			t.Fatalf("repeated: %s, %v", v, err)
		}
		synctest.Wait()
		for _, n := range []*node{b, third} {
			if r, _ := n.set.LoadRecords(t.Context(), []names.UserID{"ann"}); string(r[0]) != "1" {
				t.Errorf("%s has %q", n.id, r[0])
			}
		}
		// Confirmed, it is announced no more.
		sent := 0
		count := func(from *node, m port.Message) bool {
			if from == a && strings.Contains(m.Subject, ".lat.") {
				sent++
			}
			return false
		}
		c.fault.Store(&count)
		if _, err := a.set.ChangeRecord(t.Context(), "ann", same); err != nil || sent > 0 {
			t.Errorf("sent %d, %v", sent, err)
		}
	})
}

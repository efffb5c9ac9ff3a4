package replica_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// TestGracesAreNoEnds: what the graces remove is gone with a store and without, whatever ends the keys had (decision
// D21), and the keys begin anew.
func TestGracesAreNoEnds(t *testing.T) {
	eachMode(t, func(t *testing.T, mesh bool) {
		c := newCluster(t, mesh, 3)
		defer c.stop()
		a, b := c.nodes[0], c.nodes[1]
		both := func(u names.UserID, want string) {
			t.Helper()
			for _, n := range []*node{a, b} {
				x := n.open(u)
				x.expect(t, want)
				x.close()
			}
		}
		a.update(`{"shared":{"s":{"n_counter":5,"expires_in":"3h"},"t":{"n_counter":5}},
			"private":{"ann":{"s":{"m_counter":5,"expires_in":"3h"},"t":{"m_counter":5}},"bob":{"s":{},"t":{}}}}`)
		both("ann", `={"s":{"m_counter":5,"n_counter":5},"t":{"m_counter":5,"n_counter":5}}`)
		if err := b.purge("ann"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		both("ann", `={}`)
		// At once, and on a node that only heard of it; with a longer end of its own.
		a.update(`{"private":{"ann":{"s":{"m_counter":1,"expires_in":"5h"}}}}`)
		both("ann", `={"s":{"m_counter":1,"n_counter":5}}`)
		// Nobody looks for longer than shared-grace.
		time.Sleep(2 * time.Hour)
		both("bob", `={"s":{},"t":{}}`)
		b.update(`{"shared":{"s":{"n_counter":2}}}`)
		synctest.Wait()
		both("ann", `={"s":{"m_counter":1,"n_counter":2}}`)
		// The first end of the life before has no meaning for the new one.
		time.Sleep(2 * time.Hour)
		both("ann", `={"s":{"m_counter":1}}`)
		if mesh {
			c.alike(t)
		}
	})
}

// TestPurgeOfTheLifeBefore: a node of a mesh that has missed a purge and what was written since purges: the newer write
// wins.
func TestPurgeOfTheLifeBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, _ := trio(t)
		a.update(`{"private":{"ann":{"k":{"n_counter":5,"expires_in":"300d"}}}}`)
		b.bus.SetDown(true)
		if err := a.purge("ann"); err != nil {
			t.Fatal(err)
		}
		a.update(`{"private":{"ann":{"k":{"n_counter":1}}}}`)
		time.Sleep(time.Minute)
		_ = b.purge("ann") // nobody hears it
		b.bus.SetDown(false)
		time.Sleep(5 * time.Second)
		c.alike(t)
		for _, n := range slices.Clone(c.nodes) {
			n.open("ann").expect(t, `={"k":{"n_counter":1}}`)
		}
	})
}

// TestMeshPurgeWhileViewed: whose key a purge took is told nothing more of it, and does not keep the shared key.
func TestMeshPurgeWhileViewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, _ := trio(t)
		a.update(`{"shared":{"k":{"n_counter":1}},"private":{"ann":{"k":{"expires_in":"300d"}}}}`)
		ann := b.open("ann")
		ann.expect(t, `={"k":{"n_counter":1}}`)
		k := []names.Doc{names.SharedOf(ns, "k")}
		if !b.set.Viewed(k)[0] {
			t.Error("not viewed")
		}
		if err := a.purge("ann"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b.set.Viewed(k)[0] {
			t.Error("still viewed")
		}
		a.update(`{"shared":{"k":{"n_counter":2}}}`)
		ann.expect(t)
		b.update(`{"private":{"ann":{"k":{"m_counter":1}}}}`)
		ann.expect(t, `{"k":{"m_counter":1,"n_counter":2}}`)
	})
}

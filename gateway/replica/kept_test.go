package replica_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// eachMode runs a test with a store and without.
func eachMode(t *testing.T, f func(t *testing.T, mesh bool)) {
	t.Helper()
	t.Parallel()
	for _, mesh := range []bool{false, true} {
		name := "Store"
		if mesh {
			name = "Mesh"
		}
		t.Run(name, func(t *testing.T) { bubble(t, func(t *testing.T) { f(t, mesh) }) })
	}
}

// expectKept looks what all nodes keep.
func (c *cluster) expectKept(t *testing.T, copies, ends int) {
	t.Helper()
	synctest.Wait()
	for _, n := range c.nodes {
		if k, e := n.set.Kept(); k != copies || e != ends {
			t.Errorf("%s keeps %d copies and %d ends, want %d and %d", n.id, k, e, copies, ends)
		}
	}
}

// alike looks whether all nodes of a mesh have the same: then nothing is fetched.
func (c *cluster) alike(t *testing.T) {
	t.Helper()
	sums := func(n *node) string {
		all := string(n.set.BeatFields(nil))
		return all[strings.Index(all, `"sums"`):]
	}
	synctest.Wait()
	for _, n := range c.nodes[1:] {
		if a, b := sums(c.nodes[0]), sums(n); a != b {
			t.Errorf("%s has %s, %s has %s", c.nodes[0].id, a, n.id, b)
		}
	}
}

// TestKeysWithoutVariables: they count like others (decision D22), and go like others when nobody looks (D21).
func TestKeysWithoutVariables(t *testing.T) {
	eachMode(t, func(t *testing.T, mesh bool) {
		c := newCluster(t, mesh, 3)
		defer c.stop()
		c.limits.MaxKeysPerNamespace = 10
		a, b := c.nodes[0], c.nodes[1]
		for i := range 10 {
			a.update(fmt.Sprintf(`{"shared":{"k%d":{}}}`, i))
		}
		synctest.Wait()
		for _, n := range c.nodes {
			if err := n.try(`{"shared":{"one-more":{}}}`); !errors.Is(err, port.ErrLimit) {
				t.Errorf("the eleventh key on %s: %v", n.id, err)
			}
		}
		b.update(`{"shared":{"k1":{},"k9":{}}}`) // they are there already
		if mesh {
			c.expectKept(t, 10, 0)
			c.alike(t)
		}
		time.Sleep(time.Hour)
		c.expectKept(t, 0, 0)
		b.update(`{"shared":{"one-more":{}},"private":{"ann":{"one-more":{},"k1":{}}}}`)
		b.open("ann").expect(t, `={"k1":{},"one-more":{}}`)
	})
}

// TestMeshMissedKey: a node that has missed a key without variables gets it, and what another only looks at is nobody's key.
func TestMeshMissedKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, _ := trio(t)
		a.update(`{"private":{"ann":{"seen":{}}}}`)
		a.open("ann").expect(t, `={"seen":{}}`)
		b.bus.SetDown(true)
		a.update(`{"shared":{"k":{}}}`)
		b.bus.SetDown(false)
		time.Sleep(4 * time.Second)
		c.alike(t)
		bob := b.open("ann")
		bob.expect(t, `={"seen":{}}`)
		for _, n := range c.nodes {
			if got := n.set.Census().Shared; got != (replica.Area{Keys: 1}) {
				t.Errorf("%s has %+v", n.id, got)
			}
		}
		bob.expect(t)
	})
}

// TestMeshForgotten: a key that ended long ago is not kept because a node, whose clock is behind, still speaks of it.
func TestMeshForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, _ := trio(t)
		a.update(`{"shared":{"k":{"n_counter":1,"expires_in":"1s"}},"private":{"ann":{"k":{"expires_in":"1s"}}}}`)
		c.expectKept(t, 2, 2)
		time.Sleep(time.Hour)
		c.expectKept(t, 0, 0)
		old := fmt.Sprintf(`{"n":1,"docs":[{"s":"k","d":{".end":%[1]d}},{"p":"ann","d":{"k":{".end":%[1]d}}}]}`,
			time.Now().Add(-11*time.Minute).UnixMilli())
		b.set.Hear(port.Message{
			Subject: space().Lattice(ns), Header: port.Header{port.HeaderNode: {string(a.id)}}, Data: []byte(old),
		})
		c.expectKept(t, 0, 0)
	})
}

// TestNothingIsKept: what has been looked at leaves nothing behind.
func TestNothingIsKept(t *testing.T) {
	eachMode(t, func(t *testing.T, mesh bool) {
		c := newCluster(t, mesh, 2)
		defer c.stop()
		a, b := c.nodes[0], c.nodes[1]
		for i := range 50 {
			u := names.UserID(fmt.Sprintf("u%d", i))
			a.update(fmt.Sprintf(`{"private":{%q:{"k%d":{"expires_in":"1s"}}}}`, u, i))
			for _, n := range []*node{a, b} {
				x := n.open(u)
				x.expect(t, fmt.Sprintf(`={"k%d":{}}`, i))
				x.close()
			}
			b.open(names.UserID(fmt.Sprintf("nobody%d", i))).close()
		}
		time.Sleep(20 * time.Second)
		if !mesh {
			c.expectKept(t, 0, 0)
		}
		time.Sleep(2 * time.Hour)
		c.expectKept(t, 0, 0)
	})
}

// TestOpenedOftenQueuedOnce: a view that comes and goes has its keys' end in the queue once, or not at all.
func TestOpenedOftenQueuedOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, mesh bool) {
		c := newCluster(t, mesh, 1)
		defer c.stop()
		n := c.nodes[0]
		n.update(`{"shared":{"k":{"n_counter":1,"expires_in":"3h"}},"private":{"ann":{"k":{"expires_in":"3h"}}}}`)
		kept := 0
		if mesh {
			kept = 2
		}
		for range 20 { // shorter than shared-grace
			ann := n.open("ann")
			ann.expect(t, `={"k":{"n_counter":1}}`)
			c.expectKept(t, 2, 2)
			ann.close()
			time.Sleep(20 * time.Second)
			c.expectKept(t, kept, kept)
		}
		// The earliest end counts, and the ends still come.
		ann := n.open("ann")
		n.update(`{"private":{"ann":{"j":{"expires_in":"1m"}}}}`)
		c.expectKept(t, 3, 2)
		time.Sleep(time.Minute)
		c.expectKept(t, 2, 2)
		time.Sleep(3 * time.Hour)
		ann.take()
		if s := string(ann.view.Snapshot(nil)); s != `{}` {
			t.Errorf("after the end: %s", s)
		}
		ann.close()
		time.Sleep(time.Hour)
		c.expectKept(t, 0, 0)
	})
}

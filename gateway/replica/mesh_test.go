package replica_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

func trio(t *testing.T) (c *cluster, a, b, d *node) {
	t.Helper()
	c = newCluster(t, true, 3)
	t.Cleanup(c.stop)
	return c, c.nodes[0], c.nodes[1], c.nodes[2]
}

// TestMeshMachine is TestMachine without a store.
func TestMeshMachine(t *testing.T) { t.Parallel(); runMachine(t, true) }

func TestMeshUpdate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, _ := trio(t)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{}}}}`)
		ann, ann2 := a.open("ann"), b.open("ann")
		ann.expect(t, `={"q:1":{"n_counter":1}}`)
		ann2.expect(t, `={"q:1":{"n_counter":1}}`)
		b.update(`{"shared":{"q:1":{"n_counter":2},"q:2":{"n_counter":1}},"private":{"ann":{"q:2":{"m_counter":1}}}}`)
		for _, x := range []*client{ann, ann2} {
			x.expect(t, `{"q:2":{"m_counter":1,"n_counter":1},"q:1":{"n_counter":2}}`)
		}
		c.limits.MaxKeysPerUser, c.limits.MaxKeysPerNamespace = 2, 2
		for _, bad := range []string{`{"private":{"ann":{"q:3":{}}}}`, `{"shared":{"q:1":{"n_counter":9},"q:3":{"n_counter":9}}}`} {
			if err := a.try(bad); !errors.Is(err, port.ErrLimit) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		ann.expect(t)
		// It survives the death of the node that was asked.
		b.kill()
		late := c.start()
		c.nodes = append(c.nodes, late)
		time.Sleep(time.Second)
		if !late.set.Ready() {
			t.Fatal("not ready")
		}
		late.open("ann").expect(t, `={"q:1":{"n_counter":2},"q:2":{"m_counter":1,"n_counter":1}}`)
	})
}

// TestMeshUnconfirmed: an update is acknowledged only when a live node has it, or when there is none.
func TestMeshUnconfirmed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, d := trio(t)
		c.lose(a)
		begun := time.Now()
		if err := a.try(`{"shared":{"q:1":{"n_counter":1}}}`); !errors.Is(err, port.ErrTimeout) || time.Since(begun) != 250*time.Millisecond {
			t.Errorf("nobody has heard it: %v after %v", err, time.Since(begun))
		}
		c.fault.Store(nil)
		b.kill()
		begun = time.Now()
		a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
		if time.Since(begun) > 0 {
			t.Errorf("took %v", time.Since(begun))
		}
		d.kill()
		time.Sleep(4 * time.Second)
		a.update(`{"shared":{"q:1":{"n_counter":3}}}`)
	})
}

// TestMeshRepair: what a node has missed it fetches when counters or hashes tell, and views get it.
func TestMeshRepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, _ := trio(t)
		a.update(`{"private":{"ann":{"q:1":{}}}}`)
		ann := b.open("ann")
		ann.take()
		b.bus.SetDown(true)
		for i := range 500 {
			a.update(fmt.Sprintf(`{"shared":{"q:1":{"n_counter":%d},"k%d":{"s_set":["%s"]}}}`, i, i, strings.Repeat("x", 6000)))
		}
		if _, err := a.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(`1`), 0 }); err != nil {
			t.Fatal(err)
		}
		b.bus.SetDown(false)
		time.Sleep(4 * time.Second)
		ann.expect(t, `{"q:1":{"n_counter":499}}`)
		if r, _ := b.set.LoadRecords(t.Context(), []names.UserID{"ann"}); string(r[0]) != "1" {
			t.Errorf("record: %q", r)
		}
		if !slices.Equal(b.allRecords(), []string{"ann=1"}) {
			t.Errorf("heard %q", b.allRecords())
		}
		// The others are gone: it has everything.
		for _, n := range slices.Clone(c.nodes) {
			if n != b {
				n.kill()
			}
		}
		time.Sleep(4 * time.Second)
		b.update(`{"private":{"bob":{"k0":{},"k499":{}}}}`)
		bob := b.open("bob")
		if f := bob.take(); len(f) != 1 || len(f[0]) < 12000 {
			t.Errorf("bob sees %d bytes", len(f[0]))
		}
	})
}

// TestMeshLoad: a node that has become ready has everything, also when all others die at that moment.
func TestMeshLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, _, _ := trio(t)
		for i := range 300 {
			a.update(fmt.Sprintf(`{"shared":{"k%d":{"s_set":["%s"]}},"private":{"u%d":{"k%d":{}}}}`, i, strings.Repeat("x", 9000), i, i))
		}
		if _, err := a.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(`1`), 0 }); err != nil {
			t.Fatal(err)
		}
		late := c.start()
		synctest.Wait()
		if !late.set.Ready() {
			t.Fatal("not ready")
		}
		c.stop()
		c.nodes = append(c.nodes, late)
		time.Sleep(4 * time.Second)
		for i := range 300 {
			if f := late.open(names.UserID(fmt.Sprintf("u%d", i))).take(); len(f) != 1 || len(f[0]) < 9000 {
				t.Fatalf("u%d sees %d bytes", i, len(f[0]))
			}
		}
		if r, _ := late.set.LoadRecords(t.Context(), []names.UserID{"ann"}); string(r[0]) != "1" {
			t.Errorf("record: %q", r)
		}
	})
}

// TestMeshAlone: the first nodes of a mesh become ready, also when they start at the same time.
func TestMeshAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := &cluster{t: t, net: memory.NewNetwork(0), mesh: true}
		for range 3 {
			c.nodes = append(c.nodes, c.start())
		}
		defer c.stop()
		time.Sleep(3 * time.Second)
		for _, n := range c.nodes {
			if !n.set.Ready() {
				t.Errorf("%s is not ready", n.id)
			}
		}
	})
}

func TestMeshGraces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, _ := trio(t)
		a.update(`{"shared":{"q:1":{"n_counter":5},"q:2":{"n_counter":5}},"private":{"ann":{"q:1":{"m_counter":5}},"bob":{"q:2":{}}}}`)
		ann, bob := b.open("ann"), b.open("bob")
		if err := a.purge("ann"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := string(ann.view.Snapshot(nil)); s != `{}` {
			t.Errorf("ann: %s", s)
		}
		time.Sleep(25 * time.Minute)
		a.update(`{"private":{"ann":{"q:1":{"m_counter":1},"q:2":{}}}}`)
		ann.take()
		for _, n := range []*node{a, b} {
			c := n.open("ann")
			c.expect(t, `={"q:1":{"m_counter":1},"q:2":{"n_counter":5}}`)
		}
		bob.expect(t, `={"q:2":{"n_counter":5}}`)
	})
}

func TestMeshRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, _ := trio(t)
		set := func(n *node, v string, ttl time.Duration) {
			t.Helper()
			if _, err := n.set.ChangeRecord(t.Context(), "ann", func([]byte) ([]byte, time.Duration) { return []byte(v), ttl }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		set(a, `1`, 0)
		set(b, `2`, time.Minute)
		if got := a.allRecords(); !slices.Equal(got, []string{"ann=2"}) {
			t.Errorf("a heard %q", got)
		}
		get := func(n *node, want string) {
			t.Helper()
			if r, err := n.set.LoadRecords(t.Context(), []names.UserID{"ann", "bob"}); err != nil || string(r[0]) != want || r[1] != nil {
				t.Errorf("records %q, %v", r, err)
			}
		}
		get(a, "2")
		time.Sleep(61 * time.Second)
		get(a, "")
		get(b, "")
	})
}

// TestMeshLaterLife: a node that has not heard that a key ended and began again writes it: the update is applied anew, to
// the life that the others know of.
func TestMeshLaterLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b, _ := trio(t)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":5}}}}`)
		b.bus.SetDown(true)
		if err := a.purge("ann"); err != nil {
			t.Fatal(err)
		}
		a.update(`{"private":{"ann":{"q:1":{"n_counter":1}}}}`)
		b.bus.SetDown(false)
		b.update(`{"private":{"ann":{"q:1":{"n_counter":3}}}}`)
		synctest.Wait()
		for _, n := range []*node{a, b} {
			n.open("ann").expect(t, `={"q:1":{"n_counter":3}}`)
		}
	})
}

// TestMeshLoading: a node that does not know yet what the others have refuses updates.
func TestMeshLoading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b, d := trio(t)
		for _, n := range []*node{a, b, d} {
			n.bus.SetDown(true)
		}
		late := c.start()
		synctest.Wait()
		if err := late.try(`{"shared":{"q:1":{"n_counter":1}}}`); late.set.Ready() || !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("ready %v, %v", late.set.Ready(), err)
		}
		late.stop()
	})
}

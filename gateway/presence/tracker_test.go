package presence

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// in runs a test with a cluster in a bubble, once over a store and once as a mesh.
func in(t *testing.T, nodes int, f func(t *testing.T, c *cluster)) {
	t.Helper()
	for _, kind := range []string{"store", "mesh"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, nodes, kind == "mesh")
				defer func() {
					if t.Failed() {
						t.Log("\n" + c.String())
					}
				}()
				defer c.close()
				f(t, c)
			})
		})
	}
}

// TestOneNoticePerPeriod: three nodes, one user on two of them. Nobody is told twice, in no order of events.
func TestOneNoticePerPeriod(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		for _, n := range c.nodes {
			n.t.Follow("ann")
		}
		if err := c.nodes[0].join("ann", 10*time.Second); err != nil {
			t.Fatal(err)
		}
		c.want("ann", Active)
		c.sleep(5 * time.Second)
		if err := c.nodes[1].join("ann", 10*time.Second); err != nil {
			t.Fatal(err)
		}
		c.sleep(9900 * time.Millisecond)
		c.want("ann", Active)
		c.sleep(200 * time.Millisecond)
		c.want("ann", Inactive)
		c.sleep(time.Hour)
		c.want("ann", Inactive)
		if ids := c.ids("ann"); len(ids) != 1 || len(c.sent["ann"]) != 1 {
			t.Errorf("notices %v", c.sent["ann"])
		}
		c.nodes[1].active("ann", 3*time.Second)
		c.sleep(100 * time.Millisecond)
		c.want("ann", Active)
		c.nodes[0].part("ann")
		c.nodes[1].part("ann")
		c.sleep(2800 * time.Millisecond)
		c.want("ann", Active)
		c.sleep(200 * time.Millisecond)
		c.want("ann", Offline)
		c.sleep(time.Hour)
		if ids := c.ids("ann"); len(ids) != 2 || len(c.sent["ann"]) != 2 {
			t.Errorf("notices %v", c.sent["ann"])
		}
		for i, n := range c.nodes {
			var got []State
			for _, s := range n.heard["ann"] {
				got = append(got, s.State)
			}
			if len(got) != 4 || got[0] != Active || got[1] != Inactive || got[2] != Active || got[3] != Offline {
				t.Errorf("node %d has heard %v", i, got)
			}
			n.t.Unfollow("ann")
		}
	})
}

// TestLastLeavesInactive: the last connection of an inactive user makes offline, without a notice.
func TestLastLeavesInactive(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		for _, n := range c.nodes {
			_ = n.join("ann", time.Second)
		}
		c.sleep(2 * time.Second)
		c.want("ann", Inactive)
		for _, n := range c.nodes {
			c.want("ann", Inactive)
			n.part("ann")
			c.sleep(100 * time.Millisecond)
		}
		c.want("ann", Offline)
		for _, n := range c.nodes {
			_ = n.join("bob", time.Second)
		}
		c.sleep(2 * time.Second)
		c.want("bob", Inactive)
		for _, n := range c.nodes {
			n.part("bob") // all at once
		}
		c.sleep(time.Second)
		c.want("bob", Offline)
		c.sleep(time.Minute)
		if len(c.sent["ann"]) != 1 {
			t.Errorf("notices %v", c.sent["ann"])
		}
	})
}

// TestActiveCostsNoWrite (decision D25): calls that move the deadline little by little write once in ten seconds, and
// the deadline that counts is the last one.
func TestActiveCostsNoWrite(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		for i, n := range c.nodes {
			u := names.UserID(rune('a' + i))
			_ = n.join(u, 30*time.Second)
			for range 100 {
				n.active(u, 30*time.Second)
				c.sleep(100 * time.Millisecond)
			}
			writes := 0
			c.mu.Lock()
			for _, m := range c.history[u] {
				if m.rec.State == Active {
					writes++
				}
			}
			c.mu.Unlock()
			if writes != 1 {
				t.Errorf("%d writes", writes)
			}
			c.sleep(29800 * time.Millisecond)
			c.want(u, Active)
			c.sleep(200 * time.Millisecond)
			c.want(u, Inactive)
			if len(c.sent[u]) != 1 {
				t.Errorf("notices %v", c.sent[u])
			}
		}
	})
}

// TestDeadNode: users of a dead node keep their deadline and go offline when it passes; inactive ones go when the node
// counts as dead.
func TestDeadNode(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		for i := range 20 {
			_ = c.nodes[2].join(names.UserID(rune('a'+i)), 20*time.Second)
			_ = c.nodes[2].join(names.UserID(rune('A'+i)), time.Second)
		}
		c.sleep(2 * time.Second)
		c.nodes[2].kill()
		check := func(active, inactive State) {
			t.Helper()
			for i := range 20 {
				c.want(names.UserID(rune('a'+i)), active)
				c.want(names.UserID(rune('A'+i)), inactive)
			}
		}
		c.sleep(9 * time.Second)
		check(Active, Inactive)
		c.sleep(4 * time.Second)
		check(Active, Offline)
		c.sleep(4700 * time.Millisecond)
		check(Active, Offline)
		c.sleep(500 * time.Millisecond)
		check(Offline, Offline)
		c.sleep(time.Hour)
		for i := range 20 {
			for _, u := range []names.UserID{names.UserID(rune('a' + i)), names.UserID(rune('A' + i))} {
				if len(c.sent[u]) != 1 {
					t.Errorf("%s: notices %v", u, c.sent[u])
				}
			}
		}
	})
}

// TestStatuses: an unknown user gets a record, so that what comes later is greater.
func TestStatuses(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		_ = c.nodes[1].join("bob", time.Minute)
		got, err := c.nodes[0].t.Statuses(context.Background(), []names.UserID{"ann", "bob", "", "ann"})
		if err != nil || got[0].State != Offline || got[0].Version == 0 || got[1].State != Active || got[2].State != Offline {
			t.Fatalf("%v, %v", got, err)
		}
		if got[3] != got[0] {
			t.Errorf("one user, two statuses: %v", got)
		}
		_ = c.nodes[1].join("ann", time.Minute)
		later, err := c.nodes[0].t.Statuses(context.Background(), []names.UserID{"ann"})
		if err != nil || later[0].State != Active || later[0].Version <= got[0].Version {
			t.Errorf("%v after %v, %v", later, got, err)
		}
		again, _ := c.nodes[1].t.Statuses(context.Background(), []names.UserID{"ann"})
		if again[0] != later[0] {
			t.Errorf("nodes disagree: %v and %v", again, later)
		}
	})
}

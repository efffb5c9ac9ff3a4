package presence

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// TestShortCut: a node that is cut off for less than ten seconds changes nobody's status.
func TestShortCut(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		for i := range 3 {
			for j, u := range c.users(i, 2) {
				_ = c.nodes[1].join(u, time.Second+time.Duration(j)*time.Hour) // inactive, active
			}
		}
		c.sleep(2 * time.Second)
		for _, n := range c.nodes {
			for i := range 3 {
				for _, u := range c.users(i, 2) {
					n.t.Follow(u)
				}
			}
		}
		c.nodes[1].setCut(true)
		c.sleep(8 * time.Second)
		c.nodes[1].setCut(false)
		c.sleep(20 * time.Minute)
		for _, n := range c.nodes {
			if len(n.heard) > 0 {
				t.Errorf("%s has heard %v", n.id, n.heard)
			}
		}
	})
}

// TestLongCut: a node that is cut off for longer is taken for dead: its inactive users go offline. When it comes back,
// so do they.
func TestLongCut(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		for i := range 3 {
			for j, u := range c.users(i, 2) {
				_ = c.nodes[1].join(u, time.Second+time.Duration(j)*time.Hour)
			}
		}
		c.sleep(2 * time.Second)
		c.nodes[1].setCut(true)
		c.sleep(30 * time.Second)
		want := func(inactive State) {
			t.Helper()
			for i := range 3 {
				us := c.users(i, 2)
				c.want(us[0], inactive)
				c.want(us[1], Active)
			}
		}
		want(Offline)
		c.nodes[1].setCut(false)
		c.sleep(3 * time.Second)
		want(Inactive)
		c.sleep(5 * time.Minute)
		want(Inactive)
		for i := range 3 {
			if us := c.users(i, 2); len(c.purges[us[0]])+len(c.purges[us[1]]) > 0 {
				t.Errorf("purged: %v", c.purges)
			}
		}
	})
}

// TestFallback: an owner that lives but does nothing is stood in for by a node with connections.
func TestFallback(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(2, 1)[0]
		c.nodes[2].slow = time.Hour
		_ = c.nodes[0].join(u, 5*time.Second)
		c.sleep(7900 * time.Millisecond)
		c.want(u, Active)
		c.sleep(200 * time.Millisecond)
		c.want(u, Inactive)
		c.nodes[2].slow = time.Millisecond
		c.sleep(time.Minute)
		if len(c.sent[u]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestStop: a node that stops leaves no connections in the records, and gives its notices back.
func TestStop(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		for i := range 500 {
			_ = c.nodes[1].join(names.UserID(fmt.Sprint(i)), time.Hour)
		}
		u := c.users(1, 1)[0]
		c.down = true
		_ = c.nodes[0].join(u, time.Second)
		c.sleep(40 * time.Second)
		before := len(c.sent[u])
		if r := c.nodes[0].record(u); r.Notice.Owner != c.nodes[1].id {
			t.Fatalf("notice %+v", r.Notice)
		}
		c.down = false
		c.nodes[1].stop()
		for i := range 500 {
			if r := c.nodes[0].record(names.UserID(fmt.Sprint(i))); r.anybody() || r.State != Active {
				t.Fatalf("%+v", r)
			}
		}
		c.sleep(5 * time.Second)
		if s := c.sent[u]; len(s) != before+1 || !s[before].answered || len(c.ids(u)) != 1 {
			t.Errorf("sent %v, %d before", s, before)
		}
	})
}

// TestRestartOfEverything: a node that starts over a store with records of an earlier life empties the seats of nodes
// that it has never heard of, but not before it could have.
func TestRestartOfEverything(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		_ = c.nodes[0].join("ann", time.Second)
		_ = c.nodes[1].join("bob", 40*time.Second)
		c.sleep(2 * time.Second)
		c.nodes[0].kill()
		c.nodes[1].kill()
		c.sleep(20 * time.Second)
		c.add()
		c.sleep(9 * time.Second)
		c.want("ann", Inactive)
		c.sleep(3 * time.Second)
		c.want("ann", Offline)
		c.want("bob", Active)
		c.sleep(10 * time.Second)
		c.want("bob", Offline)
		if len(c.sent["bob"]) != 1 || len(c.sent["ann"]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestSkewedClocks: the clocks of the nodes are three and six seconds apart. A deadline passes by the owner's clock, but
// everything else holds: versions grow, a new connection makes active again, each period is told once.
func TestSkewedClocks(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.mu.Lock()
		for i, n := range c.nodes {
			n.skew = time.Duration(i-1) * 3 * time.Second
		}
		c.skewed = true
		c.mu.Unlock()
		c.sleep(11 * time.Second)
		for owner := range 3 {
			for i, u := range c.users(owner, 3) {
				for _, n := range c.nodes {
					n.t.Follow(u)
				}
				for round := range 4 {
					n := c.nodes[(i+round)%3]
					if err := n.join(u, 10*time.Second); err != nil {
						t.Fatal(err)
					}
					c.want(u, Active)
					c.sleep(20 * time.Second)
					c.want(u, Inactive)
				}
				for range 4 {
					for _, n := range c.nodes {
						n.part(u)
					}
				}
				c.sleep(time.Second)
				c.want(u, Offline)
				if ids := c.ids(u); len(ids) != 4 || len(c.sent[u]) != 4 {
					t.Errorf("%s: %v", u, c.sent[u])
				}
				for _, n := range c.nodes {
					if h := n.heard[u]; len(h) != 9 {
						t.Errorf("%s has heard %v of %s", n.id, h, u)
					}
				}
			}
		}
	})
}

// TestDeadOwner: when the owner of a user's deadline dies too, the deadline passes for the next one, also before the dead
// count as dead.
func TestDeadOwner(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		gone, stays := c.users(2, 2)[0], c.users(2, 2)[1]
		_ = c.nodes[2].join(gone, 7*time.Second)
		_ = c.nodes[1].join(stays, 7*time.Second)
		c.nodes[2].kill()
		c.sleep(6900 * time.Millisecond)
		c.want(gone, Active)
		c.want(stays, Active)
		c.sleep(200 * time.Millisecond)
		c.want(gone, Offline)
		c.want(stays, Inactive)
		c.sleep(5 * time.Minute)
		if len(c.sent[gone]) != 1 || len(c.sent[stays]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestHolderUnheardOf: the owner does not know that another node has connections, because the announcement was lost. It
// asks that node all the same before it makes the transition.
func TestHolderUnheardOf(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		_ = c.nodes[0].join(u, 10*time.Second)
		c.mute = true
		_ = c.nodes[1].join(u, 5*time.Second)
		c.sleep(time.Second)
		c.nodes[1].active(u, 15*time.Second)
		c.sleep(14900 * time.Millisecond)
		c.want(u, Active)
		c.sleep(200 * time.Millisecond)
		c.want(u, Inactive)
	})
}

// TestDeadlineOfTheJustDead: the only holder has died a second before the deadline, so that it is still believed to live. It
// is asked until it is not; then the user is offline at once, not inactive first.
func TestDeadlineOfTheJustDead(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		u := c.users(0, 1)[0]
		_ = c.nodes[2].join(u, 5*time.Second)
		c.sleep(4 * time.Second)
		c.nodes[2].kill()
		c.sleep(time.Second)
		c.want(u, Active)
		c.sleep(4 * time.Second)
		c.want(u, Offline)
		c.mu.Lock()
		for _, m := range c.history[u] {
			if m.rec.State == Inactive {
				t.Errorf("inactive at %v", m.at)
			}
		}
		c.mu.Unlock()
		if n := c.nodes[0].t.d.Metrics.askErrors.Load(); n == 0 {
			t.Error("nobody was asked in vain")
		}
		c.sleep(5 * time.Minute)
		if len(c.sent[u]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestDeadBeforeHeardOf: a node is dead before the owner of its user has ever heard of it.
func TestDeadBeforeHeardOf(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		c.nodes[1].setCut(true)
		c.add()
		us := c.users(2, 3)
		c.nodes[1].setCut(false)
		for _, u := range us {
			_ = c.nodes[1].join(u, time.Second)
		}
		c.nodes[1].kill()
		c.sleep(9 * time.Second)
		for _, u := range us {
			if r := c.nodes[0].record(u); !r.anybody() {
				t.Errorf("%s: adopted early: %s", u, r.AppendText(nil))
			}
		}
		c.sleep(10 * time.Second)
		for _, u := range us {
			if r := c.nodes[0].record(u); r.anybody() || r.State != Offline {
				t.Errorf("%s: %s", u, r.AppendText(nil))
			}
		}
		c.sleep(time.Minute)
		if c.scans > 20 {
			t.Errorf("%d scans", c.scans)
		}
	})
}

package presence

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// forget loses the store. The nodes find out when told.
func (c *cluster) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.store)
	c.forgotten = append(c.forgotten, c.now())
	c.troubled()
}

func (c *cluster) tellLost() {
	for _, n := range c.nodes {
		if !n.gone {
			n.t.RecordsLost()
		}
	}
}

// TestLastWriterDied: the store is lost at the moment at which the node dies that wrote the records last. Another with
// connections of the user, or the owner of one without, writes them back; nothing else changes.
func TestLastWriterDied(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		us := c.users(0, 4)
		here, waiting, alone, idle := us[0], us[1], us[2], us[3]
		alone2 := c.users(1, 1)[0]
		for _, u := range []names.UserID{here, alone2} {
			_ = c.nodes[1].join(u, 10*time.Minute)
		}
		_ = c.nodes[1].join(idle, time.Second)
		_ = c.nodes[2].join(waiting, time.Minute)
		_ = c.nodes[2].join(alone, time.Minute)
		c.sleep(2 * time.Second)
		for _, u := range []names.UserID{here, alone2} {
			_ = c.nodes[2].join(u, 11*time.Minute)
		}
		c.nodes[2].part(waiting)
		c.sleep(2 * time.Second)
		before := map[names.UserID]Record{}
		all := append(slices.Clone(us), alone2)
		for _, u := range all {
			before[u] = c.nodes[0].record(u)
		}
		c.nodes[2].kill()
		c.forget()
		c.tellLost()
		c.sleep(2 * time.Second)
		for _, u := range all {
			equal(t, string(u), c.nodes[0].record(u), before[u])
		}
		c.sleep(2 * time.Minute)
		c.want(here, Active)
		c.want(alone2, Active)
		c.want(idle, Inactive)
		c.want(waiting, Offline)
		c.want(alone, Offline)
		for _, u := range []names.UserID{idle, waiting, alone} {
			if ids := c.ids(u); len(ids) != 1 {
				t.Errorf("%s: told %v", u, ids)
			}
		}
		if n := len(c.ids(here)); n > 0 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestGapFindsNothing: nobody has noticed the loss, but after a gap the owner of a user without connections reads that
// there is no record.
func TestGapFindsNothing(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u, gone := c.users(0, 2)[0], c.users(0, 2)[1]
		for _, id := range []names.UserID{u, gone} {
			_ = c.nodes[2].join(id, time.Minute)
			c.nodes[2].part(id)
		}
		c.nodes[0].t.Follow(gone)
		c.sleep(50 * time.Second)
		before := c.nodes[0].record(u)
		c.forget()
		c.nodes[0].t.Gap()
		c.sleep(2 * time.Second)
		equal(t, "written back", c.nodes[0].record(u), before)
		c.sleep(5 * time.Minute)
		if len(c.ids(u)) != 1 || len(c.purges[u]) != 1 {
			t.Errorf("told %v, purges %v", c.sent[u], c.purges[u])
		}
		// A record of somebody who has gone ends in the store by itself: a read that finds none is no loss.
		c.forget()
		c.nodes[0].t.Gap()
		c.sleep(time.Minute)
		if r := c.nodes[0].record(gone); r.Version != 0 {
			t.Errorf("written back: %s", r.AppendText(nil))
		}
	})
}

// TestRestoreRecords: what is written back of two texts.
func TestRestoreRecords(t *testing.T) {
	t.Parallel()
	active := `{"s":"active","v":5,"u":9}`
	for _, c := range []struct{ stored, known, want string }{
		{"", active, active},
		{active, "", active},
		{`[`, active, active},
		{`{"s":"offline","v":4}`, active, active},
		{`{"s":"inactive","v":7,"u":6}`, active, `{"s":"inactive","v":7,"u":9}`},
	} {
		if got := string(RestoreRecords([]byte(c.stored), []byte(c.known))); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.stored, c.known, got, c.want)
		}
	}
	made := []byte(`{"s":"offline","v":7}`)
	once := RestoreRecords(made, []byte(active))
	r, err := Parse(once)
	if err != nil || r.State != Active || r.Version <= 7 || r.Until != 9 {
		t.Errorf("%s, %v", once, err)
	}
	if twice := RestoreRecords(once, []byte(active)); string(twice) != string(once) {
		t.Errorf("%s after %s", twice, once)
	}
}

// TestFollowerWritesBack: the owner, who alone had something to do for the user, dies with the store. Somebody who only
// watches writes the record back, and the next owner does the rest.
func TestFollowerWritesBack(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(2, 1)[0]
		c.nodes[0].t.Follow(u)
		_ = c.nodes[2].join(u, time.Minute)
		c.nodes[2].part(u)
		c.sleep(2 * time.Second)
		before := c.nodes[0].record(u)
		c.nodes[2].kill()
		c.forget()
		c.tellLost()
		c.sleep(5 * time.Second)
		equal(t, "written back", c.nodes[0].record(u), before)
		c.sleep(2 * time.Minute)
		c.want(u, Offline)
		if len(c.ids(u)) != 1 || len(c.purges[u]) != 1 {
			t.Errorf("told %v, purges %v", c.sent[u], c.purges[u])
		}
		if h := c.nodes[0].heard[u]; len(h) != 2 || h[0].State != Active || h[1].State != Offline {
			t.Errorf("heard %v", h)
		}
	})
}

// TestAskedForAfterTheLoss: before anybody has noticed that the store is empty, a node that knows nothing of the user is
// asked and makes a record. That ends neither the period of activity, whose deadline passes meanwhile, nor presence.
func TestAskedForAfterTheLoss(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		us := c.users(0, 3)
		ended, active, idle := us[0], us[1], us[2]
		_ = c.nodes[1].join(ended, 20*time.Second)
		_ = c.nodes[1].join(active, time.Hour)
		_ = c.nodes[1].join(idle, time.Second)
		for _, u := range us {
			c.nodes[0].t.Follow(u)
		}
		c.sleep(20*time.Second - time.Millisecond)
		versions := map[names.UserID]int64{}
		for _, u := range us {
			versions[u] = c.nodes[0].record(u).Version
		}
		c.forget()
		if _, err := c.nodes[2].t.Statuses(context.Background(), us); err != nil {
			t.Error(err)
		}
		c.sleep(2 * time.Second)
		c.tellLost()
		c.sleep(15 * time.Second)
		c.want(ended, Inactive)
		c.want(active, Active)
		c.want(idle, Inactive)
		for _, u := range us {
			if v := c.nodes[0].record(u).Version; v <= versions[u] {
				t.Errorf("%s: version %d after %d", u, v, versions[u])
			}
			if h := c.nodes[0].heard[u]; slices.ContainsFunc(h, func(s Status) bool { return s.State == Offline }) {
				t.Errorf("%s: heard %v", u, h)
			}
		}
		if len(c.ids(ended)) != 1 || len(c.ids(active)) != 0 || len(c.ids(idle)) != 1 {
			t.Errorf("told %v", c.sent)
		}
	})
}

// TestOldCopy: the store comes back as it was a while ago. What the nodes know is later.
func TestOldCopy(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		_ = c.nodes[1].join(u, 5*time.Second)
		c.sleep(time.Second)
		c.mu.Lock()
		old := *c.store[u]
		c.mu.Unlock()
		c.sleep(10 * time.Second)
		now := c.nodes[0].record(u)
		c.forget()
		c.mu.Lock()
		c.store[u] = &old
		c.mu.Unlock()
		c.tellLost()
		c.sleep(time.Minute)
		equal(t, "after", c.nodes[0].record(u), now)
		if len(c.ids(u)) != 1 {
			t.Errorf("told %v", c.sent[u])
		}
	})
}

// TestRestoredSeatOfTheDead: a record that is written back names a node that has died long ago; its seat is emptied.
func TestRestoredSeatOfTheDead(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		_ = c.nodes[2].join(u, time.Second)
		c.sleep(2 * time.Second)
		r := c.nodes[0].record(u)
		c.nodes[2].kill()
		c.sleep(3 * time.Minute) // also the purge is past: nobody holds the record
		c.mu.Lock()
		c.store[u] = &stored{value: r.AppendText(nil), rev: 99}
		c.mu.Unlock()
		c.nodes[0].t.RecordHeard(u, r.AppendText(nil))
		c.sleep(15 * time.Second)
		c.want(u, Offline)
	})
}

// TestBackFromACut: a node was cut off when a period ended and was told, and comes back to a store that is empty, as the
// first that looks. It must not end the period once more before the others have written back.
func TestBackFromACut(t *testing.T) {
	t.Parallel()
	for owner := range 2 {
		overStore(t, 3, func(t *testing.T, c *cluster) {
			u := c.users(owner, 1)[0]
			c.nodes[1].t.Follow(u)
			_ = c.nodes[0].join(u, 5*time.Second)
			c.sleep(time.Second)
			c.nodes[0].setCut(true)
			c.sleep(30 * time.Second)
			c.want(u, Offline)
			if len(c.ids(u)) != 1 {
				t.Fatalf("told %v", c.sent[u])
			}
			c.forget()
			c.nodes[0].setCut(false)
			c.sleep(7 * time.Second)
			c.tellLost()
			c.sleep(time.Minute)
			c.want(u, Inactive)
			if len(c.sent[u]) != 1 {
				t.Errorf("told %v", c.sent[u])
			}
			if h := c.nodes[1].heard[u]; len(h) < 3 || h[len(h)-1].State != Inactive {
				t.Errorf("heard %v", h)
			}
		})
	}
}

// TestDeadlineFindsTheLoss: the deadline passes before anybody has noticed the loss, so the owner's write finds nothing. It
// writes back what it knows and does not end the period. The node with the connection, which has noticed nothing, does
// after 3 s; the notice waits until the others have had the time to tell what they know.
func TestDeadlineFindsTheLoss(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		_ = c.nodes[1].join(u, 5*time.Second)
		c.sleep(4 * time.Second)
		before := c.nodes[0].record(u)
		c.forget()
		c.sleep(3 * time.Second)
		equal(t, "written back", c.nodes[0].record(u), before)
		c.sleep(8 * time.Second)
		c.want(u, Inactive)
		if len(c.sent[u]) != 0 {
			t.Errorf("told %v", c.sent[u])
		}
		c.sleep(time.Minute)
		if len(c.sent[u]) != 1 {
			t.Errorf("told %v", c.sent[u])
		}
	})
}

// TestMachineLostStore: the store is lost again and again, and each node notices in its own time. No node dies, so all
// that matters is known to one of them.
func TestMachineLostStore(t *testing.T) {
	t.Parallel()
	machine(t, false, true, "join", "join", "part", "part", "active", "wait", "wait", "forget", "ask", "lose")
}

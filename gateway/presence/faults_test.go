package presence

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// overStore runs a test with a cluster over a store in a bubble, after the time in which nobody is believed dead.
func overStore(t *testing.T, nodes int, f func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, nodes, false)
		defer func() {
			if t.Failed() {
				t.Log("\n" + c.String())
			}
		}()
		defer c.close()
		c.sleep(11 * time.Second)
		f(t, c)
	})
}

// users are names whose owner is node i of the cluster.
func (c *cluster) users(i, count int) (out []names.UserID) {
	v := newView(c.nodes[0].id, nil)
	for _, n := range c.nodes {
		v = newView(n.id, v.nodes)
	}
	for k := 0; len(out) < count; k++ {
		if u := names.UserID(fmt.Sprintf("user%d", k)); v.owner(u) == c.nodes[i].id {
			out = append(out, u)
		}
	}
	return out
}

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

// TestDeadSender: the node that sends a notice dies. The next owner waits for the end of the lease and sends it with the
// same id.
func TestDeadSender(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(11 * time.Second)
		u := c.users(2, 1)[0]
		c.wait = 15 * time.Second
		_ = c.nodes[0].join(u, time.Second)
		c.sleep(6 * time.Second)
		start := c.sent[u][0].at
		c.nodes[2].kill()
		c.sleep(5 * time.Minute)
		s := c.sent[u]
		if len(s) != 2 || s[0].id != s[1].id || !s[1].answered {
			t.Fatalf("notices %v", s)
		}
		if again := s[1].at - start; again < 29*time.Second || again > 35*time.Second {
			t.Errorf("sent again after %v", again)
		}
	})
}

// TestLeaseIsRenewed: a request may take longer than a lease.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.wait = 2 * time.Minute
		_ = c.nodes[0].join("ann", time.Second)
		c.sleep(10 * time.Minute)
		if s := c.sent["ann"]; len(s) != 1 || !s[0].answered {
			t.Errorf("notices %v", s)
		}
	})
}

// TestLostLease: a sender that is cut off from the store abandons the request before its lease ends, and another node
// sends.
func TestLostLease(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(2, 1)[0]
		c.wait = time.Minute
		_ = c.nodes[0].join(u, time.Second)
		c.sleep(6 * time.Second)
		c.nodes[2].setCut(true)
		c.sleep(24 * time.Second)
		if c.sending != 0 {
			t.Error("the request is not abandoned")
		}
		c.sleep(10 * time.Minute)
		s := c.sent[u]
		if len(s) != 2 || s[0].id != s[1].id || s[0].by == s[1].by || s[0].answered || !s[1].answered {
			t.Errorf("notices %v", s)
		}
		if n := c.nodes[2].t.d.Metrics.noticesAbandoned.Load(); n != 1 {
			t.Errorf("%d abandoned", n)
		}
	})
}

// TestBackendDown: attempts after 1, 2, 4 … 30 s; after ten minutes the notice is given up, and the next period has its
// own. Nobody is told of a user who has come back meanwhile.
func TestBackendDown(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		c.down = true
		_ = c.nodes[0].join("ann", time.Second)
		_ = c.nodes[0].join("bob", time.Second)
		c.sleep(5 * time.Second)
		if n := len(c.sent["ann"]); n != 3 {
			t.Errorf("%d attempts in 4 s", n)
		}
		c.nodes[0].active("bob", time.Hour)
		c.sleep(15 * time.Minute)
		if n := len(c.sent["bob"]); n != 3 {
			t.Errorf("%d attempts for bob, who is back", n)
		}
		if n, ids := len(c.sent["ann"]), c.ids("ann"); n < 20 || n > 26 || len(ids) != 1 {
			t.Errorf("%d attempts, ids %v", n, ids)
		}
		if r := c.nodes[1].record("ann"); r.Notice.State != NoticeSent {
			t.Errorf("notice %+v", r.Notice)
		}
		sent, lost := int64(0), int64(0)
		for _, n := range c.nodes {
			s, l := n.t.d.Metrics.Notices()
			sent, lost = sent+s, lost+l
		}
		if sent != 0 || lost != 1 {
			t.Errorf("%d sent, %d lost", sent, lost)
		}
		c.down = false
		c.nodes[0].active("ann", time.Second)
		c.sleep(5 * time.Second)
		if ids := c.ids("ann"); len(ids) != 2 {
			t.Errorf("ids %v", ids)
		}
	})
}

// TestNoHandlers: without handlers there is nothing to tell.
func TestNoHandlers(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		c.cfg.Notices = false
		_ = c.nodes[0].join("ann", time.Second)
		c.sleep(time.Minute)
		c.want("ann", Inactive)
		if r := c.nodes[0].record("ann"); r.Notice != (Notice{}) || len(c.sent) > 0 {
			t.Errorf("notice %+v, sent %v", r.Notice, c.sent)
		}
	})
}

// TestNoticesAreBounded: a slow backend gets so many requests at once, and in the end all.
func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	overStore(t, 1, func(t *testing.T, c *cluster) {
		c.wait = 3 * time.Second
		for i := range 200 {
			_ = c.nodes[0].join(names.UserID(fmt.Sprint(i)), 10*time.Second)
		}
		c.sleep(5 * time.Minute)
		if c.most != noticeSenders {
			t.Errorf("%d at once, want %d", c.most, noticeSenders)
		}
		for i := range 200 {
			if s := c.sent[names.UserID(fmt.Sprint(i))]; len(s) != 1 {
				t.Errorf("%d: %v", i, s)
			}
		}
		m := c.nodes[0].t.d.Metrics
		if m.noticesWaiting.Load() != 0 || m.noticesSending.Load() != 0 {
			t.Errorf("%d waiting, %d sending", m.noticesWaiting.Load(), m.noticesSending.Load())
		}
	})
}

// TestFullQueue: a notice that finds the queue full stays in its record and is sent later.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	overStore(t, 1, func(t *testing.T, c *cluster) {
		n := c.nodes[0].t.notices
		n.mu.Lock()
		n.heap = make(taskHeap, maxNotices)
		for i := range n.heap {
			n.heap[i] = &task{at: never}
		}
		n.mu.Unlock()
		_ = c.nodes[0].join("ann", time.Second)
		c.sleep(30 * time.Second)
		n.mu.Lock()
		if len(n.heap) != maxNotices {
			t.Errorf("%d wait", len(n.heap))
		}
		n.heap = nil
		n.mu.Unlock()
		if n := c.nodes[0].t.d.Metrics.noticesFul.Load(); len(c.sent) > 0 || n < 5 || n > 7 {
			t.Errorf("sent %v", c.sent)
		}
		c.sleep(10 * time.Second)
		if len(c.sent["ann"]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestStoreAway: a connection is not held up by a store that is away or slow; the record is written when it is back, and
// the period of activity that nobody saw is told.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		n := c.nodes[0]
		n.setCut(true)
		start := c.now()
		if err := n.join("ann", 20*time.Second); !errors.Is(err, port.ErrUnavailable) || c.now()-start > 10*time.Millisecond {
			t.Errorf("%v after %v", err, c.now()-start)
		}
		_ = n.join("bob", time.Second)
		c.sleep(10 * time.Second)
		n.setCut(false)
		c.sleep(6 * time.Second)
		c.want("ann", Active)
		c.want("bob", Inactive)
		c.sleep(time.Minute)
		if len(c.sent["ann"]) != 1 || len(c.sent["bob"]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
		n.slow = 10 * time.Second
		start = c.now()
		if err := n.join("eve", 20*time.Second); !errors.Is(err, port.ErrTimeout) || c.now()-start != joinWait {
			t.Errorf("%v after %v", err, c.now()-start)
		}
		n.slow = time.Millisecond
		c.sleep(10 * time.Second)
		c.want("eve", Active)
	})
}

// TestWritesCombine: many changes of one user during a slow write cost one more.
func TestWritesCombine(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		n := c.nodes[0]
		n.slow = 200 * time.Millisecond
		done := make(chan error)
		for range 50 {
			go func() { done <- n.join("ann", time.Minute) }()
		}
		for range 50 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for range 50 {
			n.part("ann")
			n.part("bob")
		}
		c.sleep(2 * time.Second)
		if h := c.history["ann"]; len(h) != 2 {
			t.Errorf("%d writes", len(h))
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

// TestLostAnnouncements: after a gap the followers know what they have missed.
func TestLostAnnouncements(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(2, 1)[0]
		c.nodes[0].t.Follow(u)
		if s, err := c.nodes[0].t.Statuses(context.Background(), []names.UserID{u}); err != nil || s[0].State != Offline {
			t.Fatal(s, err)
		}
		c.sleep(3 * time.Second) // the second read of those who are followed is past
		c.mute = true
		_ = c.nodes[1].join(u, time.Hour)
		c.sleep(time.Second)
		if len(c.nodes[0].heard[u]) > 0 {
			t.Fatal("heard")
		}
		c.mute = false
		c.nodes[0].t.Gap()
		c.sleep(time.Second)
		if h := c.nodes[0].heard[u]; len(h) != 1 || h[0].State != Active {
			t.Errorf("heard %v", h)
		}
		c.nodes[0].setCut(true)
		if s, err := c.nodes[0].t.Statuses(context.Background(), []names.UserID{u}); err != nil || s[0].State != Active {
			t.Errorf("from memory: %v, %v", s, err)
		}
		if s, err := c.nodes[0].t.Statuses(context.Background(), []names.UserID{u, "stranger"}); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("store away: %v, %v", s, err)
		}
		c.nodes[0].t.Unfollow(u)
		c.nodes[0].t.Unfollow(u)
	})
}

// TestLostStore: the store comes back empty. What the nodes know is written again, with greater versions.
func TestLostStore(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		_ = c.nodes[0].join("ann", time.Hour)
		_ = c.nodes[1].join("bob", time.Second)
		c.sleep(5 * time.Second)
		ann, bob := c.nodes[0].record("ann"), c.nodes[0].record("bob")
		c.mu.Lock()
		clear(c.store)
		c.mu.Unlock()
		for _, n := range c.nodes {
			n.t.Gap()
		}
		c.sleep(5 * time.Second)
		equal(t, "ann", c.nodes[0].record("ann"), ann)
		equal(t, "bob", c.nodes[0].record("bob"), bob)
		if len(c.sent["bob"]) != 1 {
			t.Errorf("sent %v", c.sent)
		}
	})
}

// TestMalformedRecord: a record that cannot be read counts as none and is replaced.
func TestMalformedRecord(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		c.mu.Lock()
		c.store["ann"] = &stored{value: []byte(`{"s":1}`), rev: 3}
		c.mu.Unlock()
		if err := c.nodes[0].join("ann", time.Minute); err != nil {
			t.Error(err)
		}
		c.want("ann", Active)
		c.nodes[1].t.RecordHeard(c.users(1, 1)[0], []byte(`[`))
		if c.nodes[1].t.d.Metrics.malformed.Load() == 0 {
			t.Error("not counted")
		}
	})
}

// TestPrivateGrace: the private documents of a user go a grace after the last connection anywhere has, or after the last
// data for somebody who was not there; not while somebody is.
func TestPrivateGrace(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		left := func(u names.UserID) time.Duration {
			c.mu.Lock()
			defer c.mu.Unlock()
			if p := c.purges[u]; len(p) > 0 {
				return c.now() - p[len(p)-1]
			}
			return -1
		}
		_ = c.nodes[0].join("ann", time.Second)
		_ = c.nodes[1].join("ann", time.Second)
		c.nodes[0].part("ann")
		c.sleep(5 * time.Minute)
		if left("ann") >= 0 {
			t.Fatal("purged under a connection")
		}
		c.nodes[1].part("ann")
		c.sleep(59 * time.Second)
		if left("ann") >= 0 {
			t.Error("purged early")
		}
		c.sleep(2 * time.Second)
		if left("ann") < 0 {
			t.Error("not purged")
		}
		// Data for somebody unknown, every ten seconds for ten minutes.
		writes := len(c.history["ann"])
		for range 60 {
			c.nodes[0].t.Touch("bob")
			c.nodes[1].t.Touch("ann")
			c.sleep(10 * time.Second)
		}
		if n := len(c.history["ann"]) - writes; n > 21 {
			t.Errorf("%d writes in 20 half graces", n)
		}
		c.sleep(45 * time.Second)
		if left("bob") >= 0 || len(c.purges["ann"]) != 1 {
			t.Errorf("purged early: %v", c.purges)
		}
		c.sleep(45 * time.Second)
		if len(c.purges["bob"]) != 1 || len(c.purges["ann"]) != 2 {
			t.Errorf("purges: %v", c.purges)
		}
		c.sleep(time.Hour)
		if len(c.purges["bob"]) != 1 || len(c.purges["ann"]) != 2 {
			t.Errorf("purged again: %v", c.purges)
		}
		if r := c.nodes[0].record("bob"); r.ttl(time.Minute) != offlineTTL {
			t.Errorf("%v", r.ttl(time.Minute))
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

// TestPurgeReadsFirst: the owner does not know that the user is back, because the announcement was lost.
func TestPurgeReadsFirst(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		_ = c.nodes[1].join(u, time.Second)
		c.nodes[1].part(u)
		c.sleep(30 * time.Second)
		c.mute = true
		_ = c.nodes[1].join(u, time.Hour)
		c.sleep(5 * time.Minute)
		if len(c.purges) > 0 {
			t.Errorf("purged %v", c.purges)
		}
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

// TestTakenOver: a sender that hears that another node sends the notice now abandons its request at once.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	overStore(t, 2, func(t *testing.T, c *cluster) {
		u := c.users(1, 1)[0]
		c.wait = time.Minute
		_ = c.nodes[0].join(u, time.Second)
		c.sleep(2 * time.Second)
		if c.sending != 1 {
			t.Fatalf("%d under way", c.sending)
		}
		r := c.nodes[0].record(u)
		r.Notice.Turn, r.Notice.Owner = r.Notice.Turn+1, nodeID(0)
		c.mu.Lock()
		c.store[u].value = r.AppendText(nil)
		c.store[u].rev++
		c.mu.Unlock()
		c.nodes[1].t.RecordHeard(u, r.AppendText(nil))
		c.sleep(0)
		if c.sending != 0 {
			t.Error("the request goes on")
		}
		c.sleep(5 * time.Minute)
		if s := c.sent[u]; len(s) != 2 || !s[1].answered || s[1].at < s[0].at+29*time.Second || len(c.ids(u)) != 1 {
			t.Errorf("sent %v", s)
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

package presence

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

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

package presence

import (
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// reload gives all nodes another grace.
func (c *cluster) reload(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.PrivateGrace = grace
}

// purged are the times of a user's purges since start.
func (c *cluster) purged(u names.UserID, start time.Duration) (out []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.purges[u] {
		out = append(out, (at - start).Truncate(time.Second))
	}
	return out
}

func (c *cluster) wantPurges(u names.UserID, start time.Duration, want ...time.Duration) {
	c.t.Helper()
	got := c.purged(u, start)
	if len(got) != len(want) {
		c.t.Fatalf("%s is purged at %v, want %v", u, got, want)
	}
	for i := range want {
		// The reload is seen by the next tick, the deadline by the clock.
		if got[i] < want[i] || got[i] > want[i]+time.Second {
			c.t.Errorf("%s is purged at %v, want %v", u, got, want)
		}
	}
}

// TestLowerGrace: a lower grace counts for those who wait already, those who left and those for whom data came. Data
// that came a moment before the reload stays for the new grace.
func TestLowerGrace(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		c.reload(time.Hour)
		c.sleep(2 * time.Second)
		start := c.now()
		_ = c.nodes[0].join("gone", time.Millisecond)
		_ = c.nodes[0].join("late", time.Millisecond)
		_ = c.nodes[0].join("here", time.Millisecond)
		c.nodes[0].part("gone")
		c.nodes[1].t.Touch("data")
		c.nodes[1].t.Touch("fresh")
		c.sleep(19*time.Minute + 30*time.Second)
		c.nodes[0].part("late")
		c.nodes[0].t.Touch("fresh") // within half a grace: it is not written
		c.sleep(30 * time.Second)
		writes := len(c.history["fresh"])
		c.reload(2 * time.Minute)
		c.sleep(10 * time.Minute)
		c.wantPurges("gone", start, 20*time.Minute)
		c.wantPurges("late", start, 21*time.Minute+30*time.Second)
		c.wantPurges("data", start, 22*time.Minute)
		c.wantPurges("fresh", start, 22*time.Minute)
		c.wantPurges("here", start)
		if n := len(c.history["fresh"]); n != writes+1 {
			t.Errorf("%d writes of a purge", n-writes)
		}
		c.sleep(2 * time.Hour)
		c.wantPurges("gone", start, 20*time.Minute)
		c.wantPurges("here", start)
	})
}

// TestHigherGrace: so does a higher one. Data that comes after a purge is not taken for what was purged.
func TestHigherGrace(t *testing.T) {
	t.Parallel()
	in(t, 2, func(t *testing.T, c *cluster) {
		start := c.now()
		_ = c.nodes[0].join("gone", time.Millisecond)
		c.nodes[0].part("gone")
		c.nodes[1].t.Touch("data")
		c.nodes[1].t.Touch("again")
		c.sleep(50 * time.Second)
		c.reload(10 * time.Minute)
		c.sleep(9 * time.Minute)
		c.wantPurges("gone", start)
		c.wantPurges("data", start)
		c.sleep(10 * time.Minute)
		c.wantPurges("gone", start, 10*time.Minute)
		c.wantPurges("again", start, 15*time.Minute)
		c.reload(2 * time.Hour)
		c.sleep(2 * time.Second)
		touched := (c.now() - start).Truncate(time.Second)
		c.nodes[0].t.Touch("again")
		c.sleep(4 * time.Hour)
		c.wantPurges("again", start, 15*time.Minute, touched+3*time.Hour)
		c.wantPurges("gone", start, 10*time.Minute)
	})
}

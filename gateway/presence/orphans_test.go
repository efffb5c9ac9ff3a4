package presence

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// write is private data of users that nobody touches them for.
func (c *cluster) write(us ...names.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range us {
		c.private[u] = true
	}
}

func (c *cluster) has(u names.UserID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.private[u]
}

func (c *cluster) searched() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.searches
}

// wantPurgedOnce tells that the private data of a user went between two times, once.
func (c *cluster) wantPurgedOnce(u names.UserID, from, to time.Duration) {
	c.t.Helper()
	if got := c.purged(u, 0); len(got) != 1 || got[0] < from || got[0] > to || c.has(u) {
		c.t.Errorf("%s is purged at %v, want once from %v to %v", u, got, from, to)
	}
}

// TestOrphansAtStart: data that all nodes have forgotten gets a grace from the first node's start, whatever record says
// nothing of it. Users who are there keep theirs.
func TestOrphansAtStart(t *testing.T) {
	t.Parallel()
	in(t, 1, func(t *testing.T, c *cluster) {
		n := c.nodes[0]
		c.write("zed", "asked", "here", "told")
		if _, err := n.t.Statuses(t.Context(), []names.UserID{"asked"}); err != nil { // which makes a record
			t.Fatal(err)
		}
		_ = n.join("here", time.Second)
		n.t.Touch("told")
		c.sleep(5 * time.Minute)
		c.wantPurgedOnce("told", 90*time.Second, 91*time.Second)
		// 15 s, the page's rest and a grace and a half
		c.wantPurgedOnce("zed", 105*time.Second, 108*time.Second)
		c.wantPurgedOnce("asked", 105*time.Second, 108*time.Second)
		if c.wantPurges("here", 0); !c.has("here") {
			t.Error("data of a user who is there is gone")
		}
		if n := c.searched(); n != 1 {
			t.Errorf("%d searches", n)
		}
		n.part("here")
		c.sleep(2 * time.Minute)
		c.wantPurgedOnce("here", 6*time.Minute, 6*time.Minute+time.Second)
		// What comes later without a touch is found within the hour.
		c.write("late")
		c.sleep(65 * time.Minute)
		c.wantPurgedOnce("late", time.Hour, 63*time.Minute)
		if n := c.searched(); n != 2 {
			t.Errorf("%d searches", n)
		}
	})
}

// TestOrphansOfADeadNode: a node dies before it has written the touches of what it acknowledged. Whichever it is, another
// finds the data.
func TestOrphansOfADeadNode(t *testing.T) {
	t.Parallel()
	for victim := range 3 {
		in(t, 3, func(t *testing.T, c *cluster) {
			c.sleep(2 * time.Minute)
			if n := c.searched(); n < 1 || n > 2 { // two when the part went from the first to a later one
				t.Errorf("%d searches at the start", n)
			}
			before := c.searched()
			_ = c.nodes[(victim+1)%3].join("here", time.Hour)
			c.write("here", "zed")
			c.nodes[victim].kill()
			c.sleep(5 * time.Minute)
			c.wantPurgedOnce("zed", 3*time.Minute+35*time.Second, 3*time.Minute+50*time.Second)
			c.wantPurges("here", 0)
			if n := c.searched() - before; n < 1 || n > 2 {
				t.Errorf("%d searches", n)
			}
		})
	}
}

// TestDroppedTouches: a node that could not note all touches finds the users again.
func TestDroppedTouches(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(2 * time.Minute)
		for i, n := range c.nodes {
			u := names.UserID(fmt.Sprintf("zed%d", i))
			c.write(u)
			n.t.mu.Lock()
			n.t.touches += maxTouches
			n.t.mu.Unlock()
			n.t.Touch(u)
			n.t.mu.Lock()
			n.t.touches -= maxTouches
			n.t.mu.Unlock()
		}
		c.sleep(5 * time.Minute)
		for i := range c.nodes {
			c.wantPurgedOnce(names.UserID(fmt.Sprintf("zed%d", i)), 3*time.Minute+35*time.Second, 3*time.Minute+40*time.Second)
		}
	})
}

// TestOrphansOfALostStore: the records are gone, the data is written back.
func TestOrphansOfALostStore(t *testing.T) {
	t.Parallel()
	in(t, 3, func(t *testing.T, c *cluster) {
		c.sleep(2 * time.Minute)
		c.write("zed")
		for _, n := range c.nodes {
			n.t.RecordsLost()
		}
		c.sleep(5 * time.Minute)
		c.wantPurgedOnce("zed", 3*time.Minute+35*time.Second, 3*time.Minute+50*time.Second)
	})
}

// TestOrphanScanFails: it is made again, not more often than once a minute.
func TestOrphanScanFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, false)
		defer c.close()
		c.write("zed")
		c.sleep(14 * time.Second)
		c.nodes[0].setCut(true)
		c.sleep(3*time.Minute + 5*time.Second)
		if n := c.searched(); n < 2 || n > 4 {
			t.Errorf("%d searches in three minutes", n)
		}
		c.nodes[0].setCut(false)
		c.sleep(5 * time.Minute)
		c.wantPurgedOnce("zed", 4*time.Minute, 6*time.Minute)
	})
}

// crowd is the records of very many users with private data; value is the record of each, nil: none.
type crowd struct {
	instant
	users, reads int
	value        []byte
}

func (c *crowd) LoadRecords(_ context.Context, us []names.UserID) ([][]byte, error) {
	c.reads++
	return slices.Repeat([][]byte{c.value}, len(us)), nil
}

func (c *crowd) ScanPrivate(_ context.Context, page func([]names.UserID) error) error {
	var us []names.UserID
	for i := range c.users {
		if us = append(us, names.UserID(fmt.Sprintf("u%d", i))); len(us) == 500 || i == c.users-1 {
			if err := page(us); err != nil {
				return err
			}
			us = nil
		}
	}
	return nil
}

// TestOrphanScanIsCheap: users whose records tell of their data cost one read for a page of them, and no memory. So many
// without records are touched no faster than that is written.
func TestOrphanScanIsCheap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := Record{Status: Status{1, Active}, Until: 1, Seats: []Seat{{nodeID(9), true, 1}}}
		c := &crowd{users: 100_000, value: r.AppendText(nil)}
		tr := alone(t) // nothing is written: it is not started
		tr.d.Records = c
		began := time.Now()
		tr.scanOrphans()
		if n := len(tr.users); c.reads != 200 || n != 0 || len(c.instant) != 0 {
			t.Errorf("%d reads, %d users in memory, %d writes", c.reads, n, len(c.instant))
		}
		if d := time.Since(began); d != 200*orphanRest {
			t.Errorf("it took %v", d)
		}
		c.value, c.reads = nil, 0
		tr.wg.Go(tr.scanOrphans)
		time.Sleep(time.Hour)
		synctest.Wait()
		tr.mu.Lock()
		if n := len(tr.users); c.reads != 2 || n != 1000 || tr.touches != 1000 {
			t.Errorf("%d reads, %d users in memory, %d touches", c.reads, n, tr.touches)
		}
		tr.mu.Unlock()
		tr.cancel()
		tr.wg.Wait()
	})
}

package presence

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

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

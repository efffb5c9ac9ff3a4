package ws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// notes is a draft's content that sums up what it was given.
type notes struct {
	text string
	made int
}

func (n *notes) Size() int { return 1 + len(n.text) } // a little less than it will be

func (n *notes) Frame() Frame {
	n.made++
	return NewText([]byte(n.text))
}

func (n *notes) add(text string) func() bool {
	return func() bool {
		n.text += text
		return true
	}
}

// stuck fills the network and the outbox's first half, until an offer is refused, and returns how many were taken.
func stuck(t *testing.T, c *Conn) int {
	t.Helper()
	if err := c.Send(NewText(make([]byte, 100_000))); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	for n := 0; ; n++ {
		err := c.Offer(NewText([]byte("plain")))
		if errors.Is(err, ErrCrowded) {
			return n
		}
		if err != nil || n > 1000 {
			t.Fatalf("offer %d: %v", n, err)
		}
	}
}

func TestDraft(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutFrames: 8}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		if n := stuck(t, c); n != 4 {
			t.Errorf("%d offers were taken beside what is being written, want 4", n)
		}
		a, b := &notes{text: "a"}, &notes{text: "b"}
		first, err := c.SendDraft(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send(NewText([]byte("reply"))); err != nil {
			t.Fatal(err)
		}
		second, err := c.SendDraft(b)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if !c.Amend(first, a.add("+")) || !c.Amend(second, b.add("-")) {
				t.Fatal("a draft that waits cannot be changed")
			}
		}
		if c.Amend(first, func() bool { return false }) {
			t.Error("no change is a change")
		}
		if bytes, frames := c.Queued(); frames != 8 || bytes < 100_000+100+100 {
			t.Errorf("Queued = %d, %d", bytes, frames)
		}
		p.expect(OpText, string(make([]byte, 100_000)))
		for range 4 {
			p.expect(OpText, "plain")
		}
		p.expect(OpText, "a"+strings.Repeat("+", 100))
		p.expect(OpText, "reply")
		p.expect(OpText, "b"+strings.Repeat("-", 100))
		if c.Amend(first, a.add("late")) {
			t.Error("a draft was changed after it was written")
		}
		p.expectNothing()
		if bytes, frames := c.Queued(); bytes != 0 || frames != 0 {
			t.Errorf("Queued = %d, %d after all has left", bytes, frames)
		}
		if a.made != 1 || b.made != 1 {
			t.Errorf("frames were made %d and %d times", a.made, b.made)
		}
		if err := c.Offer(NewText([]byte("again"))); err != nil {
			t.Errorf("offer to an empty outbox: %v", err)
		}
		p.expect(OpText, "again")
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

// TestTakenDraft: what is being written cannot be changed, although the client has not got it yet.
func TestTakenDraft(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		n := &notes{text: strings.Repeat("x", 100_000)}
		d, err := c.SendDraft(n)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.Amend(d, n.add("late")) {
			t.Error("it was changed while it was written")
		}
		p.expect(OpText, n.text)
		p.expectNothing()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

// TestDraftGrowsTooLarge: drafts count for the bounds.
func TestDraftGrowsTooLarge(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutBytes: 150_000, CloseTimeout: time.Minute}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		if n := stuck(t, c); n != 0 {
			t.Errorf("%d offers were taken", n)
		}
		n := &notes{}
		d, err := c.SendDraft(n)
		if err != nil {
			t.Fatal(err)
		}
		c.Amend(d, n.add(strings.Repeat("x", 40_000)))
		g.notClosed()
		c.Amend(d, n.add(strings.Repeat("x", 20_000)))
		if c.Amend(d, n.add("x")) {
			t.Error("it can still be changed")
		}
		if _, err := c.SendDraft(n); !errors.Is(err, ErrClosed) {
			t.Errorf("a new one: %v, want ErrClosed", err)
		}
		p.expect(OpText, string(make([]byte, 100_000)))
		p.expectClose(CodeSlow, "slow client")
		p.write(masked(OpClose, ""))
		p.expectEnd()
		if n.made != 0 {
			t.Error("the frame of a dropped draft was made")
		}
		g.closedWith(CodeSlow, "slow client")
		if n := g.opts.Counters.SlowCloses.Load(); n != 1 {
			t.Errorf("SlowCloses = %d", n)
		}
	})
}

// TestOfferCostsNothing: below half of the bound an offer is a Send.
func TestOfferCostsNothing(t *testing.T) { //nolint:paralleltest // allocations of others would count
	bubble(t, Options{}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		_ = c.Send(NewText(make([]byte, 100_000)))
		synctest.Wait()
		f := NewText([]byte("x"))
		if n := testing.AllocsPerRun(1000, func() {
			if err := c.Offer(f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("an offer costs %v allocations", n)
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

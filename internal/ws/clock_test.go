package ws

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var pingOptions = Options{PingInterval: 25 * time.Second, PingTimeout: 10 * time.Second, CloseTimeout: 5 * time.Second}

func TestPings(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(echo), func(g *rig) {
		p := g.connect()
		last := time.Now()
		for range 100 {
			p.expect(OpPing, "")
			if d := time.Since(last); d < 20*time.Second || d > 25*time.Second {
				t.Errorf("ping after %v, want 20 s to 25 s", d)
			}
			last = time.Now()
			time.Sleep(9 * time.Second)
			p.write(masked(OpPong, ""))
		}
		g.notClosed()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestPingTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(echo), func(g *rig) {
		p := g.connect()
		p.expect(OpPing, "")
		start := time.Now()
		time.Sleep(10*time.Second - 1)
		p.write(masked(OpText, "alive, but no pong"))
		p.expect(OpText, "alive, but no pong")
		p.expectClose(CodePingTimeout, "ping timeout")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("closed after %v, want 10 s", d)
		}
		p.expectEnd()
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("hung up after %v, want 15 s", d)
		}
		g.closedWith(CodePingTimeout, "ping timeout")
		if n := g.opts.Counters.DeadCloses.Load(); n != 1 {
			t.Errorf("DeadCloses = %d", n)
		}
	})
}

func TestNoPings(t *testing.T) {
	t.Parallel()
	bubble(t, Options{PingInterval: -1}, open(echo), func(g *rig) {
		p := g.connect()
		time.Sleep(time.Hour)
		p.expectNothing()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestPongShorterThanTimeout(t *testing.T) {
	t.Parallel()
	// The interval may be shorter than the timeout: pings go on in time.
	bubble(t, Options{PingInterval: 5 * time.Second, PingTimeout: time.Minute}, open(echo), func(g *rig) {
		p := g.connect()
		last := time.Now()
		for range 10 {
			p.expect(OpPing, "")
			if d := time.Since(last); d < 4*time.Second || d > 5*time.Second {
				t.Errorf("ping after %v, want 4 s to 5 s", d)
			}
			last = time.Now()
			p.write(masked(OpPong, ""))
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

// TestPause holds decision D9: while reading is paused, nothing is handled and no pong is missed.
func TestPause(t *testing.T) {
	t.Parallel()
	var got []string
	bubble(t, pingOptions, open(func(c *Conn, b []byte) error {
		got = append(got, string(b))
		if string(b) == "pause" {
			c.PauseReading()
		}
		return nil
	}), func(g *rig) {
		got = nil
		p := g.connect()
		c := <-g.conns
		p.write(join(masked(OpText, "pause"), masked(OpText, "in the same read")))
		synctest.Wait()
		p.write(masked(OpText, "in a later read"))
		time.Sleep(5 * time.Minute)
		p.expect(OpPing, "")
		p.write(masked(OpPong, ""))
		p.expectNothing()
		if s := strings.Join(got, ","); s != "pause" {
			t.Errorf("handled %s while paused", s)
		}
		c.ResumeReading()
		synctest.Wait()
		if s := strings.Join(got, ","); s != "pause,in the same read,in a later read" {
			t.Errorf("handled %s after resuming", s)
		}
		g.notClosed()
		// From now on a missing pong counts again.
		p.expect(OpPing, "")
		p.expectClose(CodePingTimeout, "ping timeout")
		p.expectEnd()
		g.closedWith(CodePingTimeout, "ping timeout")
	})
}

func TestPongAfterResume(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		p.expect(OpPing, "")
		c.PauseReading()
		time.Sleep(9 * time.Second)
		c.ResumeReading()
		// The pong may be late by what the pause took: it gets the whole timeout once more.
		time.Sleep(10 * time.Second)
		p.write(masked(OpPong, ""))
		g.notClosed()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestNoPongAfterResume(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		p.expect(OpPing, "")
		start := time.Now()
		c.PauseReading()
		time.Sleep(35 * time.Second)
		c.ResumeReading()
		// Pauses excuse until 40 s after the ping, and then for one timeout more.
		p.expectClose(CodePingTimeout, "ping timeout")
		if d := time.Since(start); d != 50*time.Second {
			t.Errorf("closed after %v, want 50 s", d)
		}
		p.expectEnd()
		g.closedWith(CodePingTimeout, "ping timeout")
	})
}

func TestCloseWhilePaused(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(func(c *Conn, _ []byte) error {
		c.PauseReading()
		return nil
	}), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		p.write(join(masked(OpText, "a"), masked(OpText, "b")))
		synctest.Wait()
		start := time.Now()
		c.Close(1001, "")
		p.expectClose(1001, "")
		p.write(masked(OpClose, closePayload(1001, "")))
		p.expectEnd()
		if d := time.Since(start); d != 0 {
			t.Errorf("the client's Close was seen after %v", d)
		}
		g.closedWith(1001, "")
	})
}

func TestLongUploadIsNoTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(echo), func(g *rig) {
		p := g.connect()
		message := masked(OpText, strings.Repeat("x", 100))
		for _, b := range message {
			p.write([]byte{b})
			time.Sleep(3 * time.Second)
		}
		for range 4 {
			if op, payload, err := p.frame(); op == OpText {
				if len(payload) != 100 {
					t.Errorf("echo of %d bytes", len(payload))
				}
				break
			} else if op != OpPing || err != nil {
				t.Fatalf("got %x, %v", op, err)
			}
		}
		g.notClosed()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestStalledUploadIsATimeout(t *testing.T) {
	t.Parallel()
	bubble(t, pingOptions, open(echo), func(g *rig) {
		p := g.connect()
		p.write(masked(OpText, strings.Repeat("x", 100))[:50])
		p.expect(OpPing, "")
		p.expectClose(CodePingTimeout, "ping timeout")
		_ = p.conn.Close()
		g.closedWith(CodePingTimeout, "ping timeout")
	})
}

// TestClockOrder is the property that the heap wakes everybody who is due, in order, whatever is set and dropped.
func TestClockOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := &clock{start: time.Now()}
		conns := make([]*Conn, 20)
		for i := range conns {
			conns[i] = &Conn{}
		}
		want := map[*Conn]time.Duration{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			c := conns[rapid.IntRange(0, len(conns)-1).Draw(t, "conn")]
			if rapid.Bool().Draw(t, "drop") {
				k.drop(c)
				delete(want, c)
				continue
			}
			at := time.Hour + time.Duration(rapid.IntRange(0, 50).Draw(t, "at"))
			k.set(c, at)
			if old, ok := want[c]; !ok || at < old {
				want[c] = at
			}
		}
		if len(k.heap) != len(want) {
			t.Fatalf("%d alarms, want %d", len(k.heap), len(want))
		}
		last := time.Duration(0)
		for len(k.heap) > 0 {
			a := k.heap[0]
			if a.at < last || want[a.c] != a.at {
				t.Fatalf("alarm at %v, want %v, after %v", a.at, want[a.c], last)
			}
			last = a.at
			k.remove(0)
			if a.c.alarm != 0 {
				t.Fatal("removed connection still has a place")
			}
		}
		k.arm()
	})
}

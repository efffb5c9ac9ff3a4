package ws

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/memnet"
)

func TestOrderAndBatches(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		sizes := []int{0, 1, 125, 126, bigFrame - 1, bigFrame, bigFrame + 1, 70_000, 200_000, 3}
		go func() {
			for round := range 5 {
				for i, n := range sizes {
					if err := c.Send(NewText([]byte(fmt.Sprintf("%d.%d.", round, i) + strings.Repeat("x", n)))); err != nil {
						t.Error(err)
					}
				}
			}
		}()
		for round := range 5 {
			for i, n := range sizes {
				p.expect(OpText, fmt.Sprintf("%d.%d.", round, i)+strings.Repeat("x", n))
			}
		}
		p.expectNothing()
		if b, n := c.Queued(); b != 0 || n != 0 {
			t.Errorf("Queued = %d, %d after all has left", b, n)
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

// TestSlowClient holds that a client which does not read is closed with 4013 at either bound, and gets the Close frame
// when it reads again in time.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		opts  Options
		size  int
		sends int // that fit beside what the network takes
	}{
		{"frames", Options{MaxOutFrames: 20, CloseTimeout: time.Minute}, 100_000, 20},
		{"bytes", Options{MaxOutBytes: 1_000_000, CloseTimeout: time.Minute}, 99_990, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, tc.opts, open(nil), func(g *rig) {
				p := g.connect()
				c := <-g.conns
				f := NewText(make([]byte, tc.size))
				for i := range tc.sends {
					if err := c.Send(f); err != nil {
						t.Fatalf("send %d: %v", i, err)
					}
					synctest.Wait()
				}
				if _, n := c.Queued(); n != tc.sends {
					t.Errorf("%d frames are queued, want %d", n, tc.sends)
				}
				if err := c.Send(f); !errors.Is(err, ErrSlow) {
					t.Errorf("one more: %v, want ErrSlow", err)
				}
				if err := c.Send(f); !errors.Is(err, ErrClosed) {
					t.Errorf("yet one more: %v, want ErrClosed", err)
				}
				if _, n := c.Queued(); n > 3 {
					t.Errorf("%d frames are still queued", n)
				}
				time.Sleep(20 * time.Second)
				frames := 0
				for {
					op, payload, err := p.frame()
					if err != nil {
						t.Fatal(err)
					}
					if op == OpClose {
						if payload != closePayload(CodeSlow, "slow client") {
							t.Errorf("close %q", payload)
						}
						break
					}
					frames++
				}
				if frames > 2 {
					t.Errorf("%d frames were sent, though the queue was dropped", frames)
				}
				p.write(masked(OpClose, ""))
				p.expectEnd()
				g.closedWith(CodeSlow, "slow client")
				if n := g.opts.Counters.SlowCloses.Load(); n != 1 {
					t.Errorf("SlowCloses = %d", n)
				}
			})
		})
	}
}

// TestSlowClientsBatchIsDropped: frames that were taken for writing but did not leave are not sent either.
func TestSlowClientsBatchIsDropped(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutFrames: 20}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		synctest.Wait()
		g.opts.Group.flushers.mu.Lock() // they shall be one batch
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _ = c.Send(NewText(make([]byte, 50_000))) })
		}
		for {
			if _, n := c.Queued(); n == 20 {
				break
			}
			runtime.Gosched()
		}
		g.opts.Group.flushers.mu.Unlock()
		wg.Wait()
		synctest.Wait()
		// One frame lies in the network's buffer, the next is being written.
		if err := c.Send(NewText([]byte("in the place of the first"))); err != nil {
			t.Error(err)
		}
		if err := c.Send(NewText([]byte("one more"))); !errors.Is(err, ErrSlow) {
			t.Errorf("got %v, want ErrSlow", err)
		}
		for range 2 {
			p.expect(OpText, string(make([]byte, 50_000)))
		}
		p.expectClose(CodeSlow, "slow client")
		if b, n := c.Queued(); b != 0 || n != 0 {
			t.Errorf("Queued = %d, %d", b, n)
		}
		p.write(masked(OpClose, ""))
		p.expectEnd()
		g.closedWith(CodeSlow, "slow client")
	})
}

func TestSlowClientIsCut(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutFrames: 3, CloseTimeout: 5 * time.Second}, open(nil), func(g *rig) {
		g.connect()
		c := <-g.conns
		start := time.Now()
		for range 4 {
			_ = c.Send(NewText(make([]byte, 100_000)))
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		g.closedWith(CodeSlow, "slow client")
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

func TestSlowWhileHeld(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutFrames: 3}, func(g *rig, c *Conn) {
		_ = c.Upgrade("") // the 101 does not count
		for i := range 3 {
			if err := c.Send(NewText([]byte("x"))); err != nil {
				t.Errorf("send %d: %v", i, err)
			}
		}
		if err := c.Send(NewText([]byte("x"))); !errors.Is(err, ErrSlow) {
			t.Errorf("got %v, want ErrSlow", err)
		}
	}, func(g *rig) {
		p := g.connect() // the 101 still comes first
		p.expectClose(CodeSlow, "slow client")
		p.write(masked(OpClose, ""))
		p.expectEnd()
	})
}

// TestFirstFrameMayBeLargerThanTheBound: the 101 before it makes no client slow.
func TestFirstFrameMayBeLargerThanTheBound(t *testing.T) {
	t.Parallel()
	big := string(make([]byte, 200_000))
	bubble(t, Options{MaxOutBytes: 1000, MaxOutFrames: 1}, func(g *rig, c *Conn) {
		_ = c.Upgrade("")
		if err := c.Send(Join(NewText([]byte("x")), []Frame{NewText(nil), NewText([]byte(big))})); err != nil {
			t.Error(err)
		}
		c.Release()
		c.Serve(func([]byte) error { return nil }, g.onClose)
	}, func(g *rig) {
		p := g.connect()
		p.expect(OpText, "x")
		p.expect(OpText, "")
		p.expect(OpText, big)
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestOneFrameMayBeLargerThanTheBound(t *testing.T) {
	t.Parallel()
	bubble(t, Options{MaxOutBytes: 1000}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		synctest.Wait()
		if err := c.Send(NewText(make([]byte, 200_000))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is being written
		if err := c.Send(NewText(nil)); !errors.Is(err, ErrSlow) {
			t.Errorf("beside it: %v, want ErrSlow", err)
		}
		p.expect(OpText, string(make([]byte, 200_000)))
		p.expectClose(CodeSlow, "slow client")
		_ = p.conn.Close()
		g.closedWith(CodeSlow, "slow client")
	})
}

// TestWriteTimeout: a client that takes nothing for the write timeout is cut even when the outbox has room.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, Options{WriteTimeout: 7 * time.Second, PingInterval: -1}, open(nil), func(g *rig) {
		g.connect()
		c := <-g.conns
		start := time.Now()
		_ = c.Send(NewText(make([]byte, 100_000)))
		<-c.Context().Done()
		// The first part went at once, so the silence lasts from the second write on.
		if d := time.Since(start); d != 14*time.Second && d != 7*time.Second {
			t.Errorf("cut after %v", d)
		}
		g.closedWith(CodeSlow, "slow client")
	})
}

// TestSlowButReading: a client that reads a little within each write timeout is not cut, and no pong is missed while
// pings wait behind other frames.
func TestSlowButReading(t *testing.T) {
	t.Parallel()
	opts := pingOptions
	opts.WriteTimeout = 20 * time.Second
	bubble(t, opts, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		const size = 400_000
		_ = c.Send(NewText(make([]byte, size)))
		buf := make([]byte, 10_000)
		for got := 0; got < size; {
			if got < size-2*memnet.DefaultBuffer { // the rest is in the network, where nobody sees that it is slow
				time.Sleep(9 * time.Second)
			}
			n, err := p.br.Read(buf)
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			got += n
		}
		g.notClosed()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

// TestSlowClientDelaysNobody: the others get their frames while one is stuck.
func TestSlowClientDelaysNobody(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, open(nil), func(g *rig) {
		g.connect()
		stuck := <-g.conns
		p := g.connect()
		other := <-g.conns
		for range 10 {
			_ = stuck.Send(NewText(make([]byte, 100_000)))
		}
		start := time.Now()
		_ = other.Send(NewText([]byte("prompt")))
		p.expect(OpText, "prompt")
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		stuck.Close(1001, "")
		_ = p.conn.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		if len(g.closes) != 2 {
			t.Errorf("%d connections ended, want 2", len(g.closes))
		}
	})
}

func TestLeavingWhileStuck(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, open(nil), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		for range 5 {
			_ = c.Send(NewText(make([]byte, 100_000)))
		}
		synctest.Wait()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
		if b, n := c.Queued(); b != 0 || n != 0 {
			t.Errorf("Queued = %d, %d after the end", b, n)
		}
		if _, err := io.ReadAll(p.conn); err == nil {
			t.Error("the client's end is closed")
		}
	})
}

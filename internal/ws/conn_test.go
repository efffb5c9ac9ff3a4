package ws

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	past  = time.Unix(1, 0)
	never = time.Time{}
)

func TestHandshakeHead(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(g *rig, c *Conn) {
		if err := c.Upgrade("v1.swindon-lattice+json"); err != nil {
			t.Error(err)
		}
		c.Release()
		c.Serve(func([]byte) error { return nil }, g.onClose)
	}, func(g *rig) {
		p := g.dial()
		lines := p.head()
		slices.Sort(lines)
		want := []string{
			"Connection: upgrade",
			"Date: Sat, 01 Jan 2000 00:00:00 GMT",
			"HTTP/1.1 101 Switching Protocols",
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			"Sec-WebSocket-Protocol: v1.swindon-lattice+json",
			"Server: swindon/1.0.0",
			"Upgrade: websocket",
			"X-Swindon-Authorizer: default",
			"X-Swindon-Request-Id: request-1",
			"X-Swindon-Route: ws",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("head is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestNothingLeavesBeforeRelease(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	counters := &Counters{}
	bubble(t, Options{Counters: counters}, func(g *rig, c *Conn) {
		release = make(chan struct{})
		if err := c.Send(NewText([]byte("before"))); err != nil {
			t.Error(err)
		}
		if err := c.Upgrade(""); err != nil {
			t.Error(err)
		}
		_ = c.Send(NewText([]byte("hello")))
		c.Serve(func(p []byte) error { return echo(c, p) }, g.onClose)
		<-release
		c.Release()
	}, func(g *rig) {
		p := g.dial()
		p.expectNothing()
		if n := counters.Writes.Load(); n != 0 {
			t.Errorf("%d writes before Release", n)
		}
		close(release)
		p.head()
		p.expect(OpText, "before")
		p.expect(OpText, "hello")
		synctest.Wait()
		if n := counters.Writes.Load(); n != 1 {
			t.Errorf("101 and two frames took %d writes, want 1", n)
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestEarlyBytes(t *testing.T) {
	t.Parallel()
	upgrade := make(chan struct{})
	handle := func(g *rig, c *Conn) {
		<-upgrade
		if err := c.Upgrade(""); err != nil {
			if !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			return
		}
		c.Release()
		c.Serve(func(p []byte) error { return echo(c, p) }, g.onClose)
	}
	t.Run("are read first", func(t *testing.T) {
		bubble(t, Options{}, handle, func(g *rig) {
			upgrade = make(chan struct{})
			p := g.dial(masked(OpText, "with the head"), masked(OpText, "split")[:3])
			synctest.Wait()
			p.write(join(masked(OpText, "split")[3:], masked(OpPing, "later")))
			p.expectNothing()
			close(upgrade)
			p.head()
			p.expect(OpText, "with the head")
			p.expect(OpText, "split")
			p.expect(OpPong, "later")
			p.write(masked(OpText, "afterwards"))
			p.expect(OpText, "afterwards")
			_ = p.conn.Close()
			g.closedWith(CodeAbnormal, "")
		})
	})
	t.Run("up to 4 KiB", func(t *testing.T) {
		bubble(t, Options{}, handle, func(g *rig) {
			upgrade = make(chan struct{})
			payload := strings.Repeat("x", EarlyBytes-8)
			p := g.dial()
			synctest.Wait()
			p.write(masked(OpText, payload))
			synctest.Wait()
			close(upgrade)
			p.head()
			p.expect(OpText, payload)
			_ = p.conn.Close()
			g.closedWith(CodeAbnormal, "")
		})
	})
	t.Run("one more closes", func(t *testing.T) {
		bubble(t, Options{}, handle, func(g *rig) {
			upgrade = make(chan struct{})
			p := g.dial()
			c := <-g.conns
			p.write(masked(OpText, strings.Repeat("x", EarlyBytes-7)))
			<-c.Context().Done()
			if err := c.Context().Err(); !errors.Is(err, ErrTooEarly) || !errors.Is(err, context.Canceled) {
				t.Errorf("cause %v", err)
			}
			p.expectEnd()
			close(upgrade)
			synctest.Wait()
		})
	})
}

func TestLeavingWhileBeingAuthorized(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(g *rig, c *Conn) {
		ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
		defer cancel()
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, ErrLeft) {
			t.Errorf("cause %v, want ErrLeft", err)
		}
		if err := c.Upgrade(""); !errors.Is(err, ErrClosed) {
			t.Errorf("Upgrade: %v", err)
		}
		if err := c.Send(NewText(nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		c.Release()
		c.Close(CodeNormal, "")
		c.Serve(func([]byte) error { return nil }, g.onClose)
	}, func(g *rig) {
		p := g.dial()
		synctest.Wait()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestCloseBeforeUpgrade(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(g *rig, c *Conn) { c.Close(CodeGoingAway, "") }, func(g *rig) {
		p := g.dial()
		p.expectEnd()
	})
}

func TestRefusedAfterUpgrade(t *testing.T) {
	t.Parallel()
	for _, releaseFirst := range []bool{true, false} {
		bubble(t, Options{}, func(g *rig, c *Conn) {
			_ = c.Upgrade("")
			_ = c.Send(NewText([]byte("fatal_error")))
			if releaseFirst {
				c.Release()
			}
			c.Close(4403, "backend_error")
			c.Release()
		}, func(g *rig) {
			p := g.dial()
			p.head()
			p.expect(OpText, "fatal_error")
			p.expectClose(4403, "backend_error")
			p.write(masked(OpClose, closePayload(4403, "")))
			p.expectEnd()
		})
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a long message ", 20_000)
	bubble(t, Options{}, open(echo), func(g *rig) {
		p := g.connect()
		p.write(masked(OpText, "one"))
		p.expect(OpText, "one")
		p.write(join(fragment(OpText, "two "), masked(OpPing, "between"), fragment(opContinuation, "in "), masked(opContinuation, "parts")))
		p.expect(OpPong, "between")
		p.expect(OpText, "two in parts")
		p.write(masked(OpText, long))
		p.expect(OpText, long)
		for _, b := range masked(OpText, "byte by byte") {
			p.write([]byte{b})
			synctest.Wait()
		}
		p.expect(OpText, "byte by byte")
		p.write(masked(OpPong, "unasked"))
		p.write(masked(OpText, ""))
		p.expect(OpText, "")
		p.expectNothing()
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestServeAll(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, func(g *rig, c *Conn) {
		_ = c.Upgrade("")
		c.Release()
		c.ServeAll(func(op Opcode, p []byte) error { return c.Send(NewFrame(op, p)) }, g.onClose)
	}, func(g *rig) {
		p := g.connect()
		p.write(join(masked(OpBinary, "\x00\xff"), masked(OpText, "x")))
		p.expect(OpBinary, "\x00\xff")
		p.expect(OpText, "x")
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

func TestPayloadIsOnlyValidDuringTheCall(t *testing.T) {
	t.Parallel()
	// Whoever keeps a payload must copy it; this holds that the copy is right while later messages overwrite the buffer.
	var kept [][]byte
	bubble(t, Options{}, open(func(_ *Conn, p []byte) error {
		kept = append(kept, bytes.Clone(p))
		return nil
	}), func(g *rig) {
		p := g.connect()
		p.write(join(masked(OpText, "aaaa"), masked(OpText, "bbbb")))
		synctest.Wait()
		p.write(masked(OpText, "cccc"))
		synctest.Wait()
		if got := string(bytes.Join(kept, []byte(" "))); got != "aaaa bbbb cccc" {
			t.Errorf("got %s", got)
		}
		_ = p.conn.Close()
		g.closedWith(CodeAbnormal, "")
	})
}

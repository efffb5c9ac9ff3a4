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

// TestBadInput holds decision D7: one row for each code, and nothing but the Close arrives.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		data   []byte
		code   int
		reason string
		parsed bool // the stream is still understood, so the client's Close is waited for
	}{
		{"binary", masked(OpBinary, "x"), CodeUnsupported, "binary messages are not supported", true},
		{"binary in fragments", join(fragment(OpBinary, "x"), masked(opContinuation, "y")), CodeUnsupported, "binary messages are not supported", true},
		{"not UTF-8", masked(OpText, "a\xff"), CodeInvalidData, "message is not UTF-8", true},
		{"not UTF-8 in fragments", join(fragment(OpText, "\xe2\x82"), masked(opContinuation, "x")), CodeInvalidData, "message is not UTF-8", true},
		{"surrogate", masked(OpText, "\xed\xa0\x80"), CodeInvalidData, "message is not UTF-8", true},
		{"too big", masked(OpText, strings.Repeat("x", 1001)), CodeTooBig, "message too big", false},
		{"too big in fragments", join(fragment(OpText, strings.Repeat("x", 600)), masked(opContinuation, strings.Repeat("x", 600))), CodeTooBig, "message too big", false},
		{"unmasked", []byte("\x81\x01a"), CodeProtocol, "frame not masked", false},
		{"reserved bit", clientFrame(0xC1, []byte("x")), CodeProtocol, "reserved bits set", false},
		{"unknown opcode", clientFrame(0x83, nil), CodeProtocol, "unknown opcode", false},
		{"fragmented ping", clientFrame(0x09, nil), CodeProtocol, "bad control frame", false},
		{"long ping", clientFrame(0x89, make([]byte, 126)), CodeProtocol, "bad control frame", false},
		{"continuation of nothing", masked(opContinuation, "x"), CodeProtocol, "continuation of nothing", false},
		{"message in a message", join(fragment(OpText, "x"), masked(OpText, "y")), CodeProtocol, "new message before the end of the last", false},
		{"close with one byte", masked(OpClose, "x"), CodeProtocol, "bad close frame", false},
		{"close with 1005", masked(OpClose, closePayload(1005, "")), CodeProtocol, "bad close code", false},
		{"close with 1006", masked(OpClose, closePayload(1006, "")), CodeProtocol, "bad close code", false},
		{"close with 999", masked(OpClose, closePayload(999, "")), CodeProtocol, "bad close code", false},
		{"close with 5000", masked(OpClose, closePayload(5000, "")), CodeProtocol, "bad close code", false},
		{"close with 2000", masked(OpClose, closePayload(2000, "")), CodeProtocol, "bad close code", false},
		{"close reason not UTF-8", masked(OpClose, closePayload(1000, "\xff")), CodeInvalidData, "close reason is not UTF-8", false},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), CodeProtocol, "reserved bits set", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Options{MaxFrame: 1000}, open(echo), func(g *rig) {
				p := g.connect()
				// What follows the bad frame is not answered any more.
				p.write(join(masked(OpText, "before"), tc.data, masked(OpText, "after"), masked(OpPing, "")))
				p.expect(OpText, "before")
				p.expectClose(tc.code, tc.reason)
				start := time.Now()
				if tc.parsed {
					p.expectNothing()
					p.write(masked(OpClose, closePayload(tc.code, "")))
					p.expectEnd()
				} else {
					p.expectEnd()
					p.write(masked(OpText, "still sending"))
					g.notClosed()
					_ = p.conn.Close()
				}
				g.closedWith(tc.code, tc.reason)
				if d := time.Since(start); d != 0 {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

func TestHandlersError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		code   int
		reason string
	}{
		{&CloseError{Code: 1008, Reason: "wrong shape"}, 1008, "wrong shape"},
		{errors.New("something else"), CodeInternal, ""},
	} {
		calls := 0
		bubble(t, Options{}, open(func(*Conn, []byte) error {
			calls++
			return tc.err
		}), func(g *rig) {
			p := g.connect()
			p.write(join(masked(OpText, "a"), masked(OpText, "b")))
			p.expectClose(tc.code, tc.reason)
			p.write(masked(OpClose, closePayload(tc.code, "")))
			p.expectEnd()
			g.closedWith(tc.code, tc.reason)
			if calls != 1 {
				t.Errorf("handler was called %d times, want once", calls)
			}
		})
	}
}

func TestPeerCloses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, payload, answer string
		code                  int
		reason                string
	}{
		{"with code and reason", closePayload(1000, "bye"), closePayload(1000, ""), 1000, "bye"},
		{"with a code of its own", closePayload(4999, ""), closePayload(4999, ""), 4999, ""},
		{"without code", "", "", CodeNoStatus, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Options{}, open(echo), func(g *rig) {
				p := g.connect()
				c := <-g.conns
				p.write(join(masked(OpText, "last"), masked(OpClose, tc.payload), masked(OpText, "after the end")))
				p.expect(OpText, "last")
				p.expect(OpClose, tc.answer)
				p.expectEnd()
				g.closedWith(tc.code, tc.reason)
				var e *CloseError
				if err := c.Context().Err(); !errors.As(err, &e) || e.Code != tc.code || !errors.Is(err, ErrClosed) {
					t.Errorf("cause %v", err)
				}
				if err := c.Send(NewText(nil)); !errors.Is(err, ErrClosed) {
					t.Errorf("Send: %v", err)
				}
			})
		})
	}
	t.Run("and stops sending", func(t *testing.T) {
		t.Parallel()
		bubble(t, Options{}, open(echo), func(g *rig) {
			p := g.connect()
			p.write(masked(OpClose, closePayload(1000, "")))
			_ = p.conn.(interface{ CloseWrite() error }).CloseWrite()
			p.expectClose(1000, "")
			p.expectEnd()
			g.closedWith(1000, "")
		})
	})
}

func TestWeClose(t *testing.T) {
	t.Parallel()
	bubble(t, Options{CloseTimeout: 3 * time.Second}, open(echo), func(g *rig) {
		for _, answer := range []bool{true, false} {
			p := g.connect()
			c := <-g.conns
			start := time.Now()
			_ = c.Send(NewText([]byte("queued")))
			c.Close(4001, "session_pool_stopped")
			c.Close(1011, "too late")
			if err := c.Send(NewText([]byte("too late"))); !errors.Is(err, ErrClosed) {
				t.Errorf("Send: %v", err)
			}
			select {
			case <-c.Context().Done():
			default:
				t.Error("context is not done")
			}
			p.expect(OpText, "queued")
			p.expectClose(4001, "session_pool_stopped")
			p.write(join(masked(OpText, "crossing"), masked(OpPing, "")))
			p.expectNothing()
			g.notClosed()
			want := 3 * time.Second
			if answer {
				time.Sleep(time.Second)
				want = time.Second
				p.write(masked(OpClose, closePayload(4001, "")))
			}
			p.expectEnd()
			if d := time.Since(start); d != want {
				t.Errorf("closed after %v, want %v", d, want)
			}
			g.closedWith(4001, "session_pool_stopped")
		}
	})
}

func TestBothClose(t *testing.T) {
	t.Parallel()
	bubble(t, Options{}, open(echo), func(g *rig) {
		p := g.connect()
		c := <-g.conns
		go c.Close(1001, "")
		p.write(masked(OpClose, closePayload(1000, "")))
		op, _, err := p.frame()
		if op != OpClose || err != nil {
			t.Errorf("got %x, %v", op, err)
		}
		p.expectEnd()
		synctest.Wait()
		if len(g.closes) != 1 {
			t.Errorf("onClose was called %d times", len(g.closes))
		}
		<-g.closes
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

package ws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

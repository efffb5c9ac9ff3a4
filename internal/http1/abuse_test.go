package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Who sends a head in tiny pieces does not have it parsed again with each: it goes to net/http after some.
func TestHeadInManyPieces(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%T", w) })
	head := "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("a:\r\n", 100) + "\r\n"
	for size, want := range map[int]string{len(head)/3 + 1: "*http1.writer", 2: "*http.response"} {
		c := r.dial(t)
		for rest := head; rest != ""; rest = rest[min(size, len(rest)):] {
			_, _ = io.WriteString(c, rest[:min(size, len(rest))])
			time.Sleep(time.Millisecond)
		}
		if res, body := read(t, bufio.NewReader(c), "GET"); res.StatusCode != 200 || body != want {
			t.Errorf("pieces of %d: got %d by %s, want %s", size, res.StatusCode, body, want)
		}
	}
}

// Empty lines may stand before every request, and come in pieces. A carriage return alone is none.
func TestEmptyLines(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, func(http.ResponseWriter, *http.Request) {})
	for between, want := range map[string]int{
		"": 200, "\r\n": 200, "\n": 200, "\r\n\n\r\n": 200, "\r": 400, "\r\r\n": 400, "\n\r": 400, " \r\n": 400,
	} {
		for cut := range len(between) + 1 {
			c := r.dial(t)
			br := bufio.NewReader(c)
			_, _ = io.WriteString(c, plain+between[:cut])
			read(t, br, "GET")
			time.Sleep(time.Millisecond) // so that most are read in two parts
			_, _ = io.WriteString(c, between[cut:]+plain)
			if res, _ := read(t, br, "GET"); res.StatusCode != want {
				t.Errorf("%q and %q: got %d, want %d", between[:cut], between[cut:], res.StatusCode, want)
			}
		}
	}
}

// A connection is its taker's from the beginning, even if the handler does not return: nobody waits for it or closes it.
func TestTakenConnectionIsNotDrained(t *testing.T) {
	t.Parallel()
	for name, ours := range map[string]bool{"ours": true, "net/http": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, goOn := make(chan struct{}), make(chan struct{})
			r := start(t, ours, limits, func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				close(taken)
				if err != nil {
					t.Error(err)
					return
				}
				<-goOn
				_, _ = io.WriteString(c, "still here")
				_ = c.Close()
			})
			c := r.dial(t)
			_, _ = io.WriteString(c, plain)
			<-taken
			r.group.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := r.conns.Drain(ctx, r.full); err != nil {
				t.Error(err)
			}
			r.conns.Close()
			close(goOn)
			if b, err := io.ReadAll(c); string(b) != "still here" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// Bytes of a further request do not hide that the connection fails or is closed by us. A client that ends its side behind
// them gets its answers, as over net/http.
func TestLeavingBehindEarlyBytes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		leave func(r *rig, c *net.TCPConn)
		want  error
	}{
		"reset":       {func(_ *rig, c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() }, context.Canceled},
		"by us":       {func(r *rig, _ *net.TCPConn) { r.conns.Close() }, context.Canceled},
		"half-closed": {func(_ *rig, c *net.TCPConn) { _ = c.CloseWrite() }, nil},
		"not at all":  {func(*rig, *net.TCPConn) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, left, wait := make(chan struct{}, 2), make(chan error, 2), 5*time.Second
			if tc.want == nil {
				wait = 2 * soon
			}
			r := start(t, true, limits, func(_ http.ResponseWriter, r *http.Request) {
				begun <- struct{}{}
				select {
				case <-r.Context().Done():
					left <- r.Context().Err()
				case <-time.After(wait):
					left <- nil
				}
			})
			c := r.dial(t)
			_, _ = io.WriteString(c, plain)
			<-begun
			_, _ = io.WriteString(c, plain)
			time.Sleep(soon / 2) // the watch has seen them
			tc.leave(r, c)
			if err := <-left; !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// A handler that ends its goroutine ends the connection with it.
func TestGoexit(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 1)
	r := start(t, true, limits, func(_ http.ResponseWriter, r *http.Request) {
		contexts <- r.Context()
		runtime.Goexit()
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, plain)
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if err := (<-contexts).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("its context: %v", err)
	}
}

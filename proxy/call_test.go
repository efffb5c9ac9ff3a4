package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/port"
)

func netipAddrOf(hostPort string) (netip.Addr, error) {
	ap, err := netip.ParseAddrPort(hostPort)
	return ap.Addr(), err
}

// The whole request is as the protocol wants it, to the byte.
func TestCallRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*DestinationConfig)
		call   port.Call
		want   func(addr string) string
	}{
		{"host and id header", func(c *DestinationConfig) {
			c.OverrideHostHeader, c.RequestIDHeader = "chat.example.com", "X-Request-Id"
		}, port.Call{
			Path: "/v1/room/say", RequestID: "abc-1-2",
			Fields: []port.Field{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`[{},[],{}]`),
		}, func(string) string {
			return "POST /v1/room/say HTTP/1.1\r\nHost: chat.example.com\r\nX-Request-Id: abc-1-2\r\n" +
				"User-Agent: swindon/1.0.0\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n" + `[{},[],{}]`
		}},
		{"address as host, empty body", nil, port.Call{Path: "/x", RequestID: "unused"}, func(addr string) string {
			return "POST /x HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: swindon/1.0.0\r\nContent-Length: 0\r\n\r\n"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				head, body, err := readRequest(r)
				if err != nil {
					return
				}
				got <- head + body
				io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 4\r\n\r\nnull")
			})
			cfg := testConfig(b.addr)
			if tt.change != nil {
				tt.change(&cfg)
			}
			d := newTestDestination(t, cfg, Deps{})
			reply, err := d.Call(t.Context(), &tt.call)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want(b.addr), <-got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if reply.Status != 200 || string(reply.Body) != "null" || reply.Backend != b.addr ||
				reply.Header.Get("Content-Type") != "application/json" {
				t.Errorf("reply is %+v", reply)
			}
		})
	}
}

func TestCallReplies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		status       int
		body         string
		err          error
	}{
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n", 200, "abcde", nil},
		{"until close", "HTTP/1.0 201 Created\r\n\r\nall of it", 201, "all of it", nil},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", nil},
		{"bare 100 is final", "HTTP/1.1 100 Continue\r\n\r\n", 100, "", nil},
		{"bare 101 is final", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 101, "", nil},
		{"418", "HTTP/1.1 418\r\nContent-Length: 0\r\n\r\n", 418, "", nil},
		{"declared too large", "HTTP/1.1 200 OK\r\nContent-Length: 10485761\r\n\r\n", 200, "", port.ErrTooLarge},
		{"chunked too large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na00001\r\n" + strings.Repeat("x", 0xa00001) + "\r\n0\r\n\r\n", 200, "", port.ErrTooLarge},
		{"short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 200, "", errClosed},
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", 0, "", errMalformed},
		{"nothing", "", 0, "", errClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err == nil {
					io.WriteString(c, tt.answer)
				}
			})
			d := newTestDestination(t, testConfig(b.addr), Deps{})
			reply, err := d.Call(t.Context(), &port.Call{Path: "/"})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("error is %v, want %v", err, tt.err)
			}
			if reply.Status != tt.status || string(reply.Body) != tt.body || reply.Backend != b.addr {
				t.Errorf("got %d %q from %q", reply.Status, reply.Body, reply.Backend)
			}
			if n := b.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// Calls one after another share a connection; no other is opened.
func TestCallReusesConnection(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	for i := range 20 {
		if _, err := d.Call(t.Context(), &port.Call{Path: "/"}); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if n := b.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	s := d.Stats()
	if s.Requests != 20 || s.RequestsForwarded != 20 || s.ConnectionEstablished != 1 || s.Connected != 1 {
		t.Errorf("stats %+v", s)
	}
}

// Whoever gives up a call frees the backend at once: its connection is closed.
func TestCallCancelled(t *testing.T) {
	t.Parallel()
	arrived, closed := make(chan struct{}), make(chan struct{})
	b := startRaw(t, func(_ net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err != nil {
			return
		}
		close(arrived)
		if _, err := r.ReadByte(); err == io.EOF {
			close(closed)
		}
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("client left")
	go func() {
		<-arrived
		cancel(left)
	}()
	if _, err := d.Call(ctx, &port.Call{Path: "/"}); !errors.Is(err, left) {
		t.Errorf("error is %v, want the cause", err)
	}
	<-closed
}

func TestCallTimeout(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"} {
		t.Run(fmt.Sprintf("after %d bytes", len(part)), func(t *testing.T) {
			t.Parallel()
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err == nil {
					io.WriteString(c, part)
					r.ReadByte()
				}
			})
			cfg := testConfig(b.addr)
			cfg.MaxRequestTimeout = 50 * time.Millisecond
			d := newTestDestination(t, cfg, Deps{})
			if _, err := d.Call(t.Context(), &port.Call{Path: "/"}); !errors.Is(err, port.ErrTimeout) {
				t.Errorf("error is %v, want ErrTimeout", err)
			}
		})
	}
}

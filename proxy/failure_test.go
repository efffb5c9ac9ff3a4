package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// What a backend can do wrong before a response is there, and what the client gets: always the error page.
func TestFailures(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, answer string
		silent       bool
	}{
		{name: "closes without a word"},
		{name: "closes within the head", answer: ok + "Content-"},
		{name: "silent", silent: true},
		{name: "silent within the head", answer: ok + "Content-", silent: true},
		{name: "no HTTP", answer: "220 mail.example.com ESMTP\r\n\r\n"},
		{name: "HTTP/2", answer: "HTTP/2 200 OK\r\n\r\n"},
		{name: "status of two digits", answer: "HTTP/1.1 20 OK\r\n\r\n"},
		{name: "status 099", answer: "HTTP/1.1 099 OK\r\n\r\n"},
		{name: "two lengths", answer: ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
		{name: "lengths in a list", answer: ok + "Content-Length: 2, 2\r\n\r\nok"},
		{name: "negative length", answer: ok + "Content-Length: -2\r\n\r\nok"},
		{name: "length with sign", answer: ok + "Content-Length: +2\r\n\r\nok"},
		{name: "huge length", answer: ok + "Content-Length: 99999999999999999999\r\n\r\n"},
		{name: "empty length", answer: ok + "Content-Length:\r\n\r\n"},
		{name: "length and chunked", answer: ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		{name: "chunked and length", answer: ok + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		{name: "chunked twice", answer: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "other coding", answer: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{name: "bad chunk size", answer: ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"},
		{name: "chunk size with sign", answer: ok + "Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n"},
		{name: "chunk longer than its size", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n"},
		{name: "bare LF after a chunk's size", answer: ok + "Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n"},
		{name: "bare CR", answer: ok + "X: a\rb\r\n\r\n"},
		{name: "NUL", answer: ok + "X: a\x00b\r\n\r\n"},
		{name: "folded line", answer: ok + "X: a\r\n b\r\n\r\n"},
		{name: "blank before the colon", answer: ok + "X : a\r\n\r\n"},
		{name: "no colon", answer: ok + "X\r\n\r\n"},
		{name: "no name", answer: ok + ": x\r\n\r\n"},
		{name: "too many headers", answer: ok + strings.Repeat("A: b\r\n", maxHeadFields+1) + "\r\n"},
		{name: "head too long", answer: ok + "A: " + strings.Repeat("b", maxHeadBytes) + "\r\n\r\n"},
		{name: "head without end", answer: ok + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 70), silent: true},
		{name: "101 unasked", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"},
		{name: "1xx without end", answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxInterim+1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err != nil {
					return
				}
				io.WriteString(c, tt.answer)
				if tt.silent {
					r.ReadByte()
				}
			})
			cfg := testConfig(b.addr)
			cfg.MaxRequestTimeout = 100 * time.Millisecond
			d := newTestDestination(t, cfg, Deps{})
			f := startProxy(t, d, nil)
			resp := f.do(t, "GET", "/", "")
			if body := bodyOf(t, resp); resp.StatusCode != 502 || !strings.Contains(body, "<h1>502 Bad Gateway</h1>") {
				t.Errorf("got %d %q", resp.StatusCode, body)
			}
			if n := b.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			if s := d.Stats(); s.Connected != 0 {
				t.Errorf("the connection is kept: %+v", s)
			}
		})
	}
}

// Failures of ours: the table from errors to statuses.
func TestFailureStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		after  time.Duration
	}{
		{fmt.Errorf("x: %w", port.ErrQueueFull), 503, 0},
		{fmt.Errorf("x: %w", port.ErrQueueTimeout), 503, time.Second},
		{errTunnelsFull, 503, time.Second},
		{fmt.Errorf("x: %w", port.ErrGone), 500, 0},
		{port.ErrTimeout, 502, 0},
		{malformed("x"), 502, 0},
		{errors.New("anything"), 502, 0},
	} {
		if status, after := failureStatus(tt.err); status != tt.status || after != tt.after {
			t.Errorf("%v: %d after %v", tt.err, status, after)
		}
	}
}

// A response that breaks off after its head was passed on reaches the client as a broken one.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"short":   "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"garbage": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flushed := make(chan struct{})
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err != nil {
					return
				}
				io.WriteString(c, answer)
				<-flushed
				if name == "garbage" {
					io.WriteString(c, "garbage\r\n")
					r.ReadByte()
				}
			})
			f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
			resp := f.do(t, "GET", "/", "")
			expect(t, resp.Body, "abc")
			close(flushed)
			if rest, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("the client takes the body for complete, with %q at the end", rest)
			}
		})
	}
}

func TestQueueFullPage(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			<-release
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	cfg := testConfig(b.addr)
	cfg.BackendConnectionsPerIPPort, cfg.InFlightRequestsPerBackendConnection, cfg.QueueSizeFor503 = 1, 1, 0
	d := newTestDestination(t, cfg, Deps{})
	f := startProxy(t, d, nil)
	statuses := make(chan int, 3)
	for range 3 {
		go func() { statuses <- f.do(t, "GET", "/", "").StatusCode }()
	}
	if got := <-statuses; got != 503 { // one is served, one waits: 0 acts as 1
		t.Errorf("the third request got %d", got)
	}
	close(release)
	for range 2 {
		if got := <-statuses; got != 200 {
			t.Errorf("a request got %d", got)
		}
	}
	if s := d.Stats(); s.BackpressureFailures != 1 || s.Requests != 2 || s.RequestsQueued != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestClosedDestinationPage(t *testing.T) {
	t.Parallel()
	d := NewDestination("backend", testConfig("127.0.0.1:1"), Deps{})
	f := startProxy(t, d, nil)
	d.Close(t.Context())
	if got := f.do(t, "GET", "/", "").StatusCode; got != 500 {
		t.Errorf("got %d", got)
	}
}

// Bodies beyond max-payload-size are refused before the backend hears of them, and the connection ends.
func TestPayloadTooLarge(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), func(c *HandlerConfig) { c.MaxPayloadSize = 4 })
	for name, request := range map[string]string{
		"declared": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
		"chunked":  "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
	} {
		_, r := f.raw(t, request)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 413 || !resp.Close {
			t.Errorf("%s: %v %v", name, resp, err)
		}
	}
	if n := b.conns.Load(); n != 0 {
		t.Errorf("the backend got %d connections", n)
	}
	if got := f.do(t, "POST", "/", "abcd").StatusCode; got != 200 {
		t.Errorf("a body of just that size got %d", got)
	}
}

// A chunked body that makes no sense is the client's fault: 400, and the backend hears nothing.
func TestMalformedBody(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
	_, r := f.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 400 || !resp.Close {
		t.Errorf("%v %v", resp, err)
	}
	if n := b.conns.Load(); n != 0 {
		t.Errorf("the backend got %d connections", n)
	}
}

// A client that leaves takes its request with it, whether that is being served or waits.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	arrived, closed := make(chan struct{}), make(chan struct{})
	b := startRaw(t, func(_ net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err != nil {
			return
		}
		close(arrived)
		if _, err := r.ReadByte(); err != nil {
			close(closed)
		}
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, nil)
	c, _ := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	c.Close()
	<-closed
	if n := b.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// The same while the response is on its way.
func TestClientLeavesResponse(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		defer close(closed)
		if _, _, err := readRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
		r.ReadByte()
	})
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
	c, r := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, resp.Body, "abc") // although more may come
	c.Close()
	<-closed
}

// startRacer answers the first request of each connection. The second one it reads and hangs up, as a backend does
// whose patience ended just then. It counts requests per method.
func startRacer(t *testing.T, seen *atomic.Int32) *rawBackend {
	return startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err != nil {
			return
		}
		seen.Add(1)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if _, _, err := readRequest(r); err == nil {
			seen.Add(1)
		}
	})
}

// A used connection that is closed when the request arrives: idempotent ones go out once more, POST never.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "PUT": 200, "DELETE": 200, "POST": 502, "PATCH": 502, "XXX": 502} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int32
			b := startRacer(t, &seen)
			d := newTestDestination(t, testConfig(b.addr), Deps{})
			f := startProxy(t, d, nil)
			if got := f.do(t, method, "/", "").StatusCode; got != 200 {
				t.Fatalf("first request: %d", got)
			}
			if got := f.do(t, method, "/", "").StatusCode; got != want {
				t.Errorf("second request: %d, want %d", got, want)
			}
			sent := int32(2)
			if want == 200 {
				sent = 3
			}
			if n := seen.Load(); n != sent {
				t.Errorf("the backend saw %d requests, want %d", n, sent)
			}
		})
	}
}

// One that was closed before is noticed before anything is sent: then even POST goes to a fresh one.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			hungUp := make(chan struct{}, 2)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err == nil {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
				c.Close()
				hungUp <- struct{}{}
			})
			d := newTestDestination(t, testConfig(b.addr), Deps{})
			for i := range 2 {
				x := newExchange(d, method)
				x.out = append(x.out, method+" / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"...)
				if err := x.roundTrip(context.Background()); err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				x.end()
				<-hungUp
			}
			if s := d.Stats(); s.Repeated != 0 || s.ConnectionEstablished != 2 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// The request that replaced one on a stale connection is given up when its client leaves, like any other.
func TestCancelAfterStale(t *testing.T) {
	t.Parallel()
	arrived, hungUp := make(chan struct{}, 2), make(chan struct{}, 1)
	var seen atomic.Int32
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err != nil {
			return
		}
		if seen.Add(1) == 1 {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			c.Close()
			hungUp <- struct{}{}
			return
		}
		arrived <- struct{}{}
		r.ReadByte()
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	call := &port.Call{Path: "/", Body: make([]byte, 2*inlineBody)}
	if _, err := d.Call(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	<-hungUp
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := d.Call(ctx, call); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// Bytes that nobody asked for make a connection useless.
func TestUnsolicitedBytes(t *testing.T) {
	t.Parallel()
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			r.ReadByte()
		}
	})
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
	for range 2 {
		if got := bodyOf(t, f.do(t, "GET", "/", "")); got != "ok" {
			t.Errorf("got %q", got)
		}
	}
	if n := b.conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

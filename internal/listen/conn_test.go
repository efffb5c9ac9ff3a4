package listen_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/swindon-go/swindon/internal/listen"
)

const soon = 60 * time.Millisecond

// closed tells whether the server has closed the connection without a word.
func closed(c net.Conn) bool {
	b, err := io.ReadAll(c)
	var ne net.Error
	return len(b) == 0 && (err == nil || !errors.As(err, &ne) || !ne.Timeout())
}

// Each phase has its own limit, at the first request of a connection and at later ones.
func TestPhaseTimeouts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		timeouts listen.Timeouts
		before   int    // requests that are answered first
		send     string // then
	}{
		"first byte":             {listen.Timeouts{FirstByte: soon, Headers: time.Hour, KeepAlive: time.Hour}, 0, ""},
		"empty lines are none":   {listen.Timeouts{FirstByte: soon, Headers: time.Hour, KeepAlive: time.Hour}, 0, "\r\n\r\n"},
		"first head":             {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 0, "G"},
		"first head, more of it": {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 0, "GET / HTTP/1.1\r\nHost: "},
		"idle":                   {listen.Timeouts{FirstByte: time.Hour, Headers: time.Hour, KeepAlive: soon}, 2, ""},
		"later head":             {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 2, "G"},
		"later head, more of it": {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 2, "GET / HTTP/1.1\r\nHost: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := deps(t)
			g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}, Timeouts: tc.timeouts}, d, ok)
			start := time.Now() // before the limit begins, which the client does not see
			c := dial(t, g)
			for range tc.before {
				start = time.Now()
				if err := request(c); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(c, tc.send); err != nil {
				t.Fatal(err)
			}
			if !closed(c) {
				t.Errorf("still open after %v", time.Since(start))
			}
			if d := time.Since(start); d < soon/2 {
				t.Errorf("closed after %v already", d)
			}
		})
	}
}

// A slow handler, a slow body and a taken connection are none of these phases' business.
func TestHandlerIsNotLimitedByPhases(t *testing.T) {
	t.Parallel()
	d, _, _ := deps(t)
	all := listen.Timeouts{FirstByte: soon, Headers: soon, KeepAlive: soon}
	left := make(chan error, 1)
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}, Timeouts: all}, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/take" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				left <- err
				return
			}
			_, err = rw.ReadByte()
			_, _ = c.Write([]byte("taken"))
			_ = c.Close()
			left <- err
			return
		}
		_, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			err = errors.Join(err, r.Context().Err())
		case <-time.After(2 * soon):
		}
		left <- err
	}))
	c := dial(t, g)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
	time.Sleep(2 * soon) // the slow client is the point
	_, _ = io.WriteString(c, "b")
	if err := <-left; err != nil {
		t.Errorf("handler: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	_, _ = io.WriteString(c, "GET /take HTTP/1.1\r\nHost: h\r\n\r\n")
	time.Sleep(2 * soon)
	_, _ = io.WriteString(c, "x")
	if err := <-left; err != nil {
		t.Errorf("taken: %v", err)
	}
	if b, _ := io.ReadAll(c); string(b) != "taken" {
		t.Errorf("got %q", b)
	}
}

// The first byte of the next request may come with the one before, or while that is being answered.
func TestEarlyByteStartsTheHeadersLimit(t *testing.T) {
	t.Parallel()
	for name, together := range map[string]bool{"with the request before": true, "while that is answered": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := deps(t)
			begun, goOn := make(chan struct{}), make(chan struct{})
			cfg := listen.Config{Addresses: []string{"127.0.0.1:0"}, Timeouts: listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}}
			g := serve(t, cfg, d, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(begun)
				<-goOn
				_, _ = w.Write([]byte("ok"))
			}))
			c := dial(t, g)
			const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
			if together {
				_, _ = io.WriteString(c, request+"G")
				<-begun
			} else {
				_, _ = io.WriteString(c, request)
				<-begun
				_, _ = io.WriteString(c, "G")
			}
			close(goOn)
			br := bufio.NewReader(c)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			if b, err := io.ReadAll(br); len(b) != 0 || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

func TestReloadedTimeoutsHold(t *testing.T) {
	t.Parallel()
	d, _, _ := deps(t)
	long := listen.Timeouts{FirstByte: time.Hour, Headers: time.Hour, KeepAlive: time.Hour}
	cfg := listen.Config{Addresses: []string{"127.0.0.1:0"}, Timeouts: long}
	g := serve(t, cfg, d, ok)
	c := dial(t, g)
	if err := request(c); err != nil {
		t.Fatal(err)
	}
	cfg.Timeouts.KeepAlive = soon
	g.Apply(t.Context(), cfg)
	if err := request(c); err != nil {
		t.Fatal(err)
	}
	if !closed(c) {
		t.Error("the new limit does not hold for an old connection")
	}
}

func TestEmptyLinesBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	d, _, _ := deps(t)
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}}, d, ok)
	c := dial(t, g)
	_, _ = io.WriteString(c, "\r\n\n\r\n")
	if err := request(c); err != nil {
		t.Error(err)
	}
}

func TestLimitResponse(t *testing.T) {
	t.Parallel()
	d, _, _ := deps(t)
	g := listen.New("main", listen.Config{Addresses: []string{"127.0.0.1:0"}}, d)
	if err := g.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	conns := make(chan *listen.Conn, 1)
	g.Serve(func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			conns <- c.(*listen.Conn)
		}
	})
	client := dial(t, g)
	c := <-conns
	if got := userTimeout(t, c); got != int(listen.UserTimeout/time.Millisecond) {
		t.Errorf("TCP_USER_TIMEOUT is %d", got)
	}
	c.LimitResponse(time.Hour)
	c.LimitResponse(0)
	c.LimitResponse(soon)
	if !closed(client) {
		t.Error("still open")
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	_ = c.Close()
	_ = c.Close()
	if g.Open() != 0 {
		t.Errorf("%d open: closing twice must count once", g.Open())
	}
}

func userTimeout(t *testing.T, c *listen.Conn) (ms int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return ms
}

// The wrapper keeps what net and net/http look for by type: sendfile, splice and writev.
func TestConnKeepsKernelPaths(t *testing.T) {
	t.Parallel()
	var c net.Conn = &listen.Conn{}
	if _, ok := c.(io.ReaderFrom); !ok {
		t.Error("no ReadFrom: no sendfile")
	}
	if _, ok := c.(io.WriterTo); !ok {
		t.Error("no WriteTo: no splice")
	}
	if _, ok := c.(interface{ CloseWrite() error }); !ok {
		t.Error("no CloseWrite: no half-close")
	}
}

// Servers that do not ask for repaired targets get none: net/http answers 400.
func TestTargetsAreNotRepairedUnasked(t *testing.T) {
	t.Parallel()
	d, _, _ := deps(t)
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}}, d, ok)
	c := dial(t, g)
	_, _ = io.WriteString(c, "GET /100% HTTP/1.1\r\nHost: h\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", res.StatusCode)
	}
}

package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/http1"
	"github.com/swindon-go/swindon/internal/listen"
)

const (
	plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	soon  = 60 * time.Millisecond
)

// Plain requests are served by ours, the first other one and all that follow it by net/http.
func TestWhoServes(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%T", w) })
	c := r.dial(t)
	br := bufio.NewReader(c)
	for i, step := range []struct{ request, want string }{
		{plain, "*http1.writer"},
		{plain, "*http1.writer"},
		{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "*http.response"},
		{plain, "*http.response"},
	} {
		_, _ = io.WriteString(c, step.request)
		if _, body := read(t, br, "GET"); body != step.want {
			t.Errorf("request %d: served by %s, want %s", i, body, step.want)
		}
	}
}

func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Unix(1, 0)), control.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/before":
			_ = control.SetWriteDeadline(time.Now().Add(soon))
			return
		case "/after":
			return
		}
		_ = control.SetWriteDeadline(time.Now().Add(soon))
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				failed <- err
				return
			}
		}
	})
	c := r.dial(t)
	br := bufio.NewReader(c)
	for _, target := range []string{"/before", "/after"} { // it holds for its own response only
		_, _ = io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		read(t, br, "GET")
		time.Sleep(2 * soon)
	}
	_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestHijack(t *testing.T) {
	t.Parallel()
	t.Run("watched before", func(t *testing.T) { t.Parallel(); hijack(t, true) })
	t.Run("context used afterwards", func(t *testing.T) { t.Parallel(); hijack(t, false) })
}

func hijack(t *testing.T, watched bool) {
	t.Helper()
	done := make(chan error, 1)
	r := start(t, true, listen.Timeouts{FirstByte: soon, Headers: soon, KeepAlive: soon}, func(w http.ResponseWriter, r *http.Request) {
		if watched {
			_ = r.Context().Done()
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			done <- err
			return
		}
		if n := rw.Reader.Buffered(); n != len("early") {
			done <- fmt.Errorf("%d bytes buffered", n)
			return
		}
		_, _, again := http.NewResponseController(w).Hijack()
		_, write := w.Write([]byte("x"))
		if !errors.Is(again, http.ErrHijacked) || !errors.Is(write, http.ErrHijacked) {
			err = fmt.Errorf("afterwards %v, %v", again, write)
		}
		lc := c.(*listen.Conn)
		if !lc.Taken() {
			err = errors.New("the connection does not know that it is taken")
		}
		go func() {
			line, e := rw.ReadString('\n')
			_, _ = io.WriteString(c, "you said "+line)
			_ = c.Close()
			done <- errors.Join(err, e)
		}()
		time.Sleep(soon / 2) // the new owner reads by now
		_ = r.Context().Done()
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, plain+"early")
	time.Sleep(2 * soon) // no limit holds any more
	_, _ = io.WriteString(c, " bird\n")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b, _ := io.ReadAll(c); string(b) != "you said early bird\n" {
		t.Errorf("got %q", b)
	}
	if r.group.Open() != 0 {
		t.Errorf("%d connections are open", r.group.Open())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r.group.Close()
	if err := r.conns.Drain(ctx, r.full); err != nil {
		t.Errorf("the taken connection is counted: %v", err)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 3)
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		contexts <- r.Context()
		switch r.URL.Path {
		case "/flushed":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		case "/status":
			w.WriteHeader(1000)
		}
		panic(http.ErrAbortHandler)
	})
	for target, want := range map[string]string{"/": "", "/status": "", "/flushed": "4\r\nhalf\r\n"} {
		got := r.exchange(t, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n", "")
		if _, body, _ := strings.Cut(got, "\r\n\r\n"); body != want {
			t.Errorf("%s: got %q", target, got)
		}
		<-(<-contexts).Done()
	}
}

// A length that is none is not sent, and lines in a value do not become fields.
func TestBadLength(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "x")
		_, _ = io.WriteString(w, "body")
	})
	for _, method := range []string{"GET", "HEAD"} {
		got := r.exchange(t, method+" / HTTP/1.1\r\nHost: h\r\n\r\n", "")
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || strings.Contains(got, "Content-Length") {
			t.Errorf("%s: got %q", method, got)
		}
	}
}

// A source that gives more than was announced does not get into the next response.
func TestSourceIsLongerThanAnnounced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("0123456789", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) {
		f, err := os.Open(file)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Length", "700")
		w.Header().Set("Content-Type", "x/y")
		w.WriteHeader(200)
		_, _ = io.Copy(w, io.Reader(onlyRead{f}))
	})
	c := r.dial(t)
	br := bufio.NewReader(c)
	for range 2 {
		_, _ = io.WriteString(c, plain)
		if _, body := read(t, br, "GET"); body != strings.Repeat("0123456789", 70) {
			t.Errorf("got %d bytes", len(body))
		}
	}
}

// onlyRead hides WriteTo, which io.Copy would use.
type onlyRead struct{ io.Reader }

// While it is drained a server closes what is idle and lets finish what is under way, a head as well.
func TestDrain(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			_ = http.NewResponseController(w).Flush()
			fallthrough
		case "/wait":
			begun <- struct{}{}
			<-goOn
		}
	})
	idle, busy, stream, partial, fresh := r.dial(t), r.dial(t), r.dial(t), r.dial(t), r.dial(t)
	_, _ = io.WriteString(idle, plain)
	idleReader := bufio.NewReader(idle)
	read(t, idleReader, "GET")
	_, _ = io.WriteString(partial, "POST / HTTP/1.1\r\nHost: h\r\nContent-Le")
	_, _ = io.WriteString(busy, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	_, _ = io.WriteString(stream, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	for r.group.Open() < 5 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(soon) // the part is read
	r.group.Close()
	drained := make(chan error)
	go func() { drained <- r.conns.Drain(t.Context(), r.full) }()
	for name, c := range map[string]io.Reader{"idle": idleReader, "fresh": fresh} {
		if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
	_, _ = io.WriteString(partial, "ngth: 1\r\n\r\nx")
	close(goOn)
	for name, c := range map[string]net.Conn{"busy": busy, "partial": partial} {
		if res, _ := read(t, bufio.NewReader(c), "GET"); res.StatusCode != 200 || !res.Close {
			t.Errorf("%s: got %d, close %v", name, res.StatusCode, res.Close)
		}
	}
	// Its head was sent before anybody knew.
	if res, _ := read(t, bufio.NewReader(stream), "GET"); res.StatusCode != 200 || res.Close {
		t.Errorf("stream: got %d, close %v", res.StatusCode, res.Close)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// After the servers are closed nothing is accepted or handed over any more.
func TestClosed(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, describe)
	c := r.dial(t)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\n")
	time.Sleep(soon)
	_ = r.full.Close()
	_, _ = io.WriteString(c, "Content-Length: 0\r\n\r\n")
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// Connections of other listeners are net/http's from the beginning.
func TestOtherListener(t *testing.T) {
	t.Parallel()
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%T", w) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- http1.New(r.full, r.conns).Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, plain)
	if _, body := read(t, bufio.NewReader(c), "GET"); body != "*http.response" {
		t.Errorf("served by %s", body)
	}
	_ = l.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

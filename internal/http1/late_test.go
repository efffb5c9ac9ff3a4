package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Who keeps a ResponseWriter after its handler has returned gets errors, and does not reach into the next response.
func TestLateWriter(t *testing.T) {
	t.Parallel()
	var kept http.ResponseWriter
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			kept = w
			return
		}
		late := http.NewResponseController(kept)
		kept.Header().Set("X-Late", "1")
		kept.WriteHeader(http.StatusTeapot)
		kept.WriteHeader(1000)
		_, write := kept.Write([]byte("late"))
		_, text := io.WriteString(kept, "late")
		_, from := io.Copy(kept, onlyRead{strings.NewReader("late")})
		_, _, hijack := late.Hijack()
		for i, err := range []error{write, text, from, hijack, late.Flush(), late.SetWriteDeadline(time.Unix(1, 0))} {
			if err == nil || errors.Is(err, http.ErrNotSupported) || !strings.Contains(err.Error(), "has returned") {
				t.Errorf("call %d: got %v", i, err)
			}
		}
		kept.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "second")
	})
	c := r.dial(t)
	br := bufio.NewReader(c)
	_, _ = io.WriteString(c, "GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
	read(t, br, "GET")
	_, _ = io.WriteString(c, "GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	res, body := read(t, br, "GET")
	if res.StatusCode != 200 || body != "second" || res.Header.Get("X-Late") != "" {
		t.Errorf("got %d, %q, %v", res.StatusCode, body, res.Header)
	}
	if b, err := io.ReadAll(br); len(b) != 0 || err != nil {
		t.Errorf("then %q, %v", b, err)
	}
}

// Goroutines that go on writing while further requests are served do not race with them: each response is whole, or the
// connection has ended.
func TestLateGoroutines(t *testing.T) {
	t.Parallel()
	var late sync.WaitGroup
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, "good")
			return
		}
		begin := make(chan struct{})
		late.Go(func() {
			<-begin
			for range 50 {
				w.WriteHeader(http.StatusTeapot)
				_, _ = w.Write([]byte("late"))
				_ = http.NewResponseController(w).Flush()
				w.Header()
			}
		})
		if r.URL.Path == "/after" { // the goroutine begins when this handler has returned, or nearly so
			context.AfterFunc(r.Context(), func() { close(begin) })
			return
		}
		close(begin)
	})
	served := 0
	for _, path := range []string{"/after", "/now"} {
		for range 30 {
			c := r.dial(t)
			br := bufio.NewReader(c)
			_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"+plain+plain)
			if _, err := http.ReadResponse(br, nil); err != nil {
				continue // ended
			}
			b, _ := io.ReadAll(io.LimitReader(br, 1))
			if len(b) == 0 || b[0] != 'H' {
				continue // ended, or written by the goroutine before the handler returned
			}
			_ = br.UnreadByte()
			for range 2 {
				if res, body := read(t, br, "GET"); res.StatusCode != 200 || body != "good" {
					t.Errorf("%s: got %d, %q", path, res.StatusCode, body)
				}
				served++
			}
			_ = c.Close()
		}
	}
	late.Wait()
	t.Log(served, "responses were whole")
}

// A call that is under way when the handler returns ends the connection, and nobody waits for it.
func TestReturningDuringACall(t *testing.T) {
	t.Parallel()
	source, feed := io.Pipe()
	ended := make(chan error, 1)
	r := start(t, true, limits, func(w http.ResponseWriter, _ *http.Request) {
		go func() {
			_, err := io.Copy(w, onlyRead{source})
			ended <- err
		}()
		_, _ = feed.Write([]byte("x")) // so that it is in its call
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, plain+plain)
	if b, err := io.ReadAll(c); strings.Contains(string(b), "HTTP/1.1") {
		t.Errorf("got %q, %v", b, err)
	}
	_ = feed.Close()
	<-ended
}

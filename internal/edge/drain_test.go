package edge_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := start(t, config(), map[string]string{"*": "show", "*/wait": "wait", "*/take": "take"}, map[string]http.HandlerFunc{
		"show": show,
		"wait": func(w http.ResponseWriter, _ *http.Request) {
			begun <- struct{}{}
			<-goOn
			_, _ = io.WriteString(w, "done")
		},
		"take": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				<-goOn
				_, _ = io.WriteString(c, "taken")
				_ = c.Close()
			}()
			begun <- struct{}{}
		},
	})
	idle, fresh, busy, taken := r.dial(t), r.dial(t), r.dial(t), r.dial(t)
	br := bufio.NewReader(idle)
	_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	read(t, br, "GET")
	_, _ = io.WriteString(busy, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	_, _ = io.WriteString(taken, "GET /take HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	for r.group.Open() < 4 { // the fresh one, too, is accepted by now or will be in a moment
		time.Sleep(time.Millisecond)
	}
	r.group.Close()

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: got %v", err)
	}
	for name, c := range map[string]io.Reader{"idle": br, "fresh": fresh} {
		if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
			t.Errorf("%s connection: got %q, %v", name, b, err)
		}
	}
	drained := make(chan error)
	go func() { drained <- r.Drain(t.Context()) }()
	close(goOn)
	a := read(t, bufio.NewReader(busy), "GET")
	if a.body != "done" || !a.Close {
		t.Errorf("the request under way got %q, close %v", a.body, a.Close)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if b, _ := io.ReadAll(taken); string(b) != "taken" {
		t.Errorf("the taken connection got %q", b)
	}
}

// A request of which only a part has come is waited for as long as more of it comes.
func TestDrainOfPartialHead(t *testing.T) {
	t.Parallel()
	arrived, begun := make(chan int64, 1), make(chan struct{})
	r := start(t, config(), map[string]string{"*": "show", "*/upload": "upload"}, map[string]http.HandlerFunc{
		"show": show,
		"upload": func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			n, _ := io.Copy(io.Discard, r.Body)
			arrived <- n
		},
	})
	first, later, silent, steady := r.dial(t), r.dial(t), r.dial(t), r.dial(t)
	_, _ = io.WriteString(silent, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
	_, _ = io.WriteString(steady, "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n")
	_, _ = io.WriteString(first, "GET / HTTP/1.1\r\nHo")
	br := bufio.NewReader(later)
	_, _ = io.WriteString(later, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	read(t, br, "GET")
	_, _ = io.WriteString(later, "GET / HT")
	for r.group.Open() < 4 {
		time.Sleep(time.Millisecond)
	}
	<-begun
	r.group.Close()
	go func() { // one that is slow, but comes
		for range 15 {
			_, _ = io.WriteString(steady, "x")
			time.Sleep(100 * time.Millisecond)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
	if n := <-arrived; n != 15 {
		t.Errorf("%d bytes of the slow body arrived", n)
	}
	if a := read(t, bufio.NewReader(steady), "POST"); a.StatusCode != 200 {
		t.Errorf("the slow body is answered %d", a.StatusCode)
	}
	for name, c := range map[string]io.Reader{"first": first, "later": br, "silent": silent} {
		b, err := io.ReadAll(c)
		if name == "silent" && strings.HasPrefix(string(b), "HTTP/1.1 200 OK\r\n") {
			// Its handler did not want the body: whether net/http answers before or after it gives the body up is timing.
			continue
		}
		if len(b) != 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
}

func TestDrainOfNothingIsImmediate(t *testing.T) {
	t.Parallel()
	r := start(t, config(), nil, nil)
	r.group.Close()
	for range 2 {
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

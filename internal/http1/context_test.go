package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/listen"
)

// leaving is a handler that waits for its client to leave.
func leaving(begun chan struct{}, left chan error) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		select {
		case <-r.Context().Done():
			left <- r.Context().Err()
		case <-time.After(5 * time.Second):
			left <- nil
		}
	}
}

func TestLeavingCancelsTheRequest(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *net.TCPConn){
		"closed":      func(c *net.TCPConn) { _ = c.Close() },
		"half-closed": func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset":       func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, left := make(chan struct{}), make(chan error, 1)
			r := start(t, true, limits, leaving(begun, left))
			c := r.dial(t)
			_, _ = io.WriteString(c, plain)
			<-begun
			leave(c)
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The end of the connection by our own doing counts as leaving, too.
func TestClosingCancelsTheRequest(t *testing.T) {
	t.Parallel()
	begun, left := make(chan struct{}), make(chan error, 1)
	r := start(t, true, limits, leaving(begun, left))
	_, _ = io.WriteString(r.dial(t), plain)
	<-begun
	r.conns.Close()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A deadline that was set for the wait before a request does not end the watch over its client; and what a client sends
// early is served afterwards.
func TestWatchedConnectionGoesOn(t *testing.T) {
	t.Parallel()
	short := listen.Timeouts{FirstByte: soon, Headers: time.Minute, KeepAlive: time.Minute}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var contexts []context.Context
	r := start(t, true, short, func(_ http.ResponseWriter, r *http.Request) {
		contexts = append(contexts, r.Context())
		done := r.Context().Done()
		begun <- struct{}{}
		<-goOn
		select {
		case <-done:
			t.Error("the client has not left")
		default:
		}
	})
	c := r.dial(t)
	br := bufio.NewReader(c)
	for i := range 4 {
		_, _ = io.WriteString(c, plain)
		<-begun
		switch i {
		case 0:
			time.Sleep(2 * soon) // past the first byte's limit
		case 2:
			_, _ = io.WriteString(c, plain[:5])
			time.Sleep(soon) // the watch sees the early bytes
			goOn <- struct{}{}
			read(t, br, "GET")
			_, _ = io.WriteString(c, plain[5:])
			<-begun
		}
		goOn <- struct{}{}
		read(t, br, "GET")
	}
	for i, ctx := range contexts {
		select {
		case <-ctx.Done():
		default:
			t.Errorf("the context of request %d is not done after it", i)
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("request %d: %v", i, ctx.Err())
		}
	}
	if len(contexts) != 5 {
		t.Errorf("%d requests", len(contexts))
	}
}

// A context that nobody waited on is done after its request all the same, and costs no watch then.
func TestContextAfterwards(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 1)
	r := start(t, true, limits, func(_ http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			t.Error(err)
		}
		contexts <- r.Context()
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, plain)
	read(t, bufio.NewReader(c), "GET")
	ctx := <-contexts
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error(ctx.Err())
	}
}

// A handler that cannot write learns it, and its context is done.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	r := start(t, true, limits, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				_, again := w.Write([]byte("x"))
				failed <- errors.Join(r.Context().Err(), again)
				return
			}
		}
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, plain)
	_ = c.SetLinger(0)
	_ = c.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) || errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// limited is a destination with n connections per backend.
func limited(n int, addrs ...string) DestinationConfig {
	cfg := DefaultDestinationConfig()
	cfg.Addresses = addrs
	cfg.BackendConnectionsPerIPPort, cfg.InFlightRequestsPerBackendConnection = n, 1
	return cfg
}

func TestQueueOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		var outs []<-chan outcome
		for i := range 10 {
			outs = append(outs, call(t.Context(), d, fmt.Sprintf("/%d", i)))
			synctest.Wait()
		}
		if s := d.Stats(); s.RequestQueue != 9 || s.Connected != 1 {
			t.Errorf("stats %+v", s)
		}
		for i := range 10 {
			req := <-b.requests
			if !strings.HasPrefix(req.head, fmt.Sprintf("POST /%d ", i)) {
				t.Errorf("request %d is %q", i, req.head)
			}
			req.respond(okResponse)
			synctest.Wait()
			ended(t, outs[i], nil)
		}
		if _, total := b.open(); total != 1 {
			t.Errorf("%d connections, want 1", total)
		}
	})
}

// Total concurrency is connections × in-flight, over connections of one request each, opened only when needed.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.listen(t, "10.0.0.1:80"), n.listen(t, "10.0.0.2:80")
		cfg := limited(2, "10.0.0.1", "10.0.0.2")
		cfg.InFlightRequestsPerBackendConnection = 2
		d := n.destination(t, cfg, Deps{})
		for i := 1; i <= 10; i++ {
			call(t.Context(), d, "/")
			synctest.Wait()
			// The backend with the fewest connections is next.
			onA, _ := a.open()
			onB, _ := b.open()
			if sum := min(i, 8); onA+onB != sum || max(onA, onB)-min(onA, onB) > 1 {
				t.Errorf("after %d requests: %d and %d connections", i, onA, onB)
			}
		}
		if s := d.Stats(); s.RequestQueue != 2 || s.Connected != 8 || s.ConnectionAttempted != 8 {
			t.Errorf("stats %+v", s)
		}
		for range 10 {
			select {
			case req := <-a.requests:
				req.respond(okResponse)
			case req := <-b.requests:
				req.respond(okResponse)
			}
			synctest.Wait()
		}
	})
}

func TestQueueTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		cfg := limited(1, "10.0.0.1")
		cfg.MaxRequestTimeout = time.Hour
		d := n.destination(t, cfg, Deps{})
		start := time.Now()
		first := call(t.Context(), d, "/first")
		synctest.Wait()
		second := <-call(t.Context(), d, "/second")
		if !errors.Is(second.err, port.ErrQueueTimeout) || second.at.Sub(start) != 30*time.Second {
			t.Errorf("%v after %v", second.err, second.at.Sub(start))
		}
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, first, nil)
		if len(b.requests) != 0 {
			t.Error("the request that timed out was sent")
		}
	})
}

// A request that gives up waiting is passed over.
func TestCancelInQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		first := call(t.Context(), d, "/first")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		second := call(ctx, d, "/second")
		synctest.Wait()
		third := call(t.Context(), d, "/third")
		synctest.Wait()
		cancel()
		synctest.Wait()
		ended(t, second, context.Canceled)
		pending(t, third)
		(<-b.requests).respond(okResponse)
		req := <-b.requests
		if !strings.HasPrefix(req.head, "POST /third ") {
			t.Errorf("next is %q", req.head)
		}
		req.respond(okResponse)
		synctest.Wait()
		ended(t, first, nil)
		ended(t, third, nil)
	})
}

// A backend that refuses is tried again after 50 to 150 ms, by one request at a time, until one gets through. Nobody
// sees an error.
func TestRefusedIsAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		d := n.destination(t, limited(10, "10.0.0.1"), Deps{})
		var outs []<-chan outcome
		for range 5 {
			outs = append(outs, call(t.Context(), d, "/"))
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		tries := n.tries()
		for i := 1; i < len(tries); i++ {
			if gap := tries[i].at.Sub(tries[i-1].at); gap < 50*time.Millisecond || gap > 150*time.Millisecond {
				t.Errorf("try %d came after %v", i, gap)
			}
		}
		if len(tries) < 10 || len(tries) > 41 {
			t.Errorf("%d tries in 2 s", len(tries))
		}
		if s := d.Stats(); s.Blacklisted != 1 || s.RequestQueue != 5 || s.BlacklistAdded != uint64(len(tries)) {
			t.Errorf("stats %+v", s)
		}
		b := n.listen(t, "10.0.0.1:80")
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		if len(b.requests) != 5 {
			t.Errorf("%d requests got through", len(b.requests))
		}
		for _, out := range outs {
			(<-b.requests).respond(okResponse)
			synctest.Wait()
			_ = out
		}
		for _, out := range outs {
			ended(t, out, nil)
		}
	})
}

func TestRefusedUntilQueueTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		d := n.destination(t, limited(10, "10.0.0.1"), Deps{})
		start := time.Now()
		o := <-call(t.Context(), d, "/")
		if !errors.Is(o.err, port.ErrQueueTimeout) || !strings.Contains(o.err.Error(), "refused") {
			t.Errorf("error is %v", o.err)
		}
		if took := o.at.Sub(start); took != 30*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// One backend of two refuses: the other serves without any delay.
func TestOtherBackendServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.2:80")
		d := n.destination(t, limited(10, "10.0.0.1", "10.0.0.2"), Deps{})
		start := time.Now()
		for range 20 {
			out := call(t.Context(), d, "/")
			(<-b.requests).respond(okResponse)
			if o := <-out; o.err != nil || !o.at.Equal(start) || o.reply.Backend != "10.0.0.2:80" {
				t.Errorf("%+v after %v", o, o.at.Sub(start))
			}
		}
	})
}

// A backend that does not answer the attempt to connect holds up one request for the connect timeout, the others not.
func TestBackendHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen(t, "10.0.0.1:80").hangs = true
		b := n.listen(t, "10.0.0.2:80")
		d := n.destination(t, limited(10, "10.0.0.1", "10.0.0.2"), Deps{IntN: func(int) int { return 1 }})
		start := time.Now()
		first := call(t.Context(), d, "/first")
		synctest.Wait()
		if len(n.tries()) != 1 || n.tries()[0].addr != "10.0.0.1:80" {
			// The draw among equals keeps the first backend unless 0 is drawn.
			t.Fatalf("tries %+v", n.tries())
		}
		second := call(t.Context(), d, "/second")
		synctest.Wait()
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, second, nil)
		pending(t, first)
		(<-b.requests).respond(okResponse)
		if o := <-first; o.err != nil || o.at.Sub(start) != connectTimeout {
			t.Errorf("%v after %v", o.err, o.at.Sub(start))
		}
	})
}

func TestKeepAliveTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(10, "10.0.0.1"), Deps{})
		for range 2 {
			call(t.Context(), d, "/")
		}
		for range 2 {
			(<-b.requests).respond(okResponse)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		time.Sleep(2*time.Second - time.Millisecond) // 4 s after the first answer, almost
		synctest.Wait()
		if now, _ := b.open(); now != 2 {
			t.Errorf("%d connections are left before the time", now)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if now, _ := b.open(); now != 1 {
			t.Errorf("%d connections are left, want the younger one", now)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if now, _ := b.open(); now != 0 {
			t.Errorf("%d connections are left", now)
		}
		if s := d.Stats(); s.Connected != 0 || s.ConnectionDropped != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Connections are used by turns: the one that has been idle longest is next.
func TestReuseOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(10, "10.0.0.1"), Deps{})
		for range 3 {
			call(t.Context(), d, "/")
		}
		var conns []string
		for range 3 {
			req := <-b.requests
			conns = append(conns, req.conn.RemoteAddr().String())
			req.respond(okResponse)
			synctest.Wait()
		}
		for i := range 6 {
			call(t.Context(), d, "/")
			req := <-b.requests
			if got := req.conn.RemoteAddr().String(); got != conns[i%3] {
				t.Errorf("request %d went over %s, want %s", i, got, conns[i%3])
			}
			req.respond(okResponse)
			synctest.Wait()
		}
	})
}

// Time runs to the head, then between bytes; for calls to the last byte.
func TestSlowBackends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(10, "10.0.0.1"), Deps{})
		trickle := func() {
			req := <-b.requests
			for _, c := range "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
				if _, err := req.conn.Write([]byte{byte(c)}); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			req.respond("")
		}
		start := time.Now()
		go trickle()
		o := <-call(t.Context(), d, "/")
		if !errors.Is(o.err, port.ErrTimeout) || o.at.Sub(start) < 30*time.Second || o.at.Sub(start) > 31*time.Second {
			t.Errorf("a call over slow loris: %v after %v", o.err, o.at.Sub(start))
		}
		go trickle()
		x := newExchange(d, "GET")
		x.out = append(x.out, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"...)
		if err := x.roundTrip(t.Context()); !errors.Is(err, port.ErrTimeout) {
			t.Errorf("a head that takes 40 s: %v", err)
		}
		x.free()
		synctest.Wait()

		go func() { // a body that takes a minute, never silent for long
			req := <-b.requests
			req.conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"))
			for range 3 {
				time.Sleep(20 * time.Second)
				req.conn.Write([]byte("x"))
			}
		}()
		x = newExchange(d, "GET")
		x.out = append(x.out, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"...)
		if err := x.roundTrip(t.Context()); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 3; {
			data, buf, err := x.takeData(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got += len(data)
			buf.free()
		}
		x.end()
	})
}

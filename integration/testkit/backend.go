package testkit

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Backend is a scripted HTTP backend on raw sockets. The test takes each request with Next and answers it.
type Backend struct {
	t        testing.TB
	listener net.Listener
	requests chan *Request
	oneShot  bool
	closed   chan struct{}
	closing  sync.Once

	mu      sync.Mutex // guards what follows
	handler func(*Request)
	conns   map[net.Conn]struct{}
	count   int
}

// Backend starts a backend that keeps connections open and sets the name to its address.
func (e *Env) Backend(name string) *Backend { return e.backend(name, "127.0.0.1:0", false) }

// BackendAt is Backend at a given address: one that comes late, or comes back.
func (e *Env) BackendAt(name, addr string) *Backend { return e.backend(name, addr, false) }

// OneShot starts a backend like the WSGI server of the original's suite: it speaks HTTP/1.0, accepts exactly one connection for
// each Next and closes it after the answer. A speculative or spare connection would hang it.
func (e *Env) OneShot(name string) *Backend { return e.backend(name, "127.0.0.1:0", true) }

func (e *Env) backend(name, addr string, oneShot bool) *Backend {
	e.T.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		e.T.Fatal(err)
	}
	b := &Backend{
		t: e.T, listener: listener, requests: make(chan *Request, 1024), oneShot: oneShot,
		closed: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	e.Set(name, listener.Addr().String())
	if !oneShot {
		go b.accept()
	}
	e.T.Cleanup(b.Close)
	return b
}

// Addr is where the backend listens.
func (b *Backend) Addr() string { return b.listener.Addr().String() }

// Close stops listening and closes all connections.
func (b *Backend) Close() {
	_ = b.listener.Close()
	b.closing.Do(func() { close(b.closed) })
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		_ = conn.Close()
	}
}

// Handle lets a function answer all requests from now on, each in a goroutine of its own; nil gives them back to Next.
func (b *Backend) Handle(f func(*Request)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handler = f
}

// Conns is how many connections were ever accepted.
func (b *Backend) Conns() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

func (b *Backend) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.serve(conn)
	}
}

func (b *Backend) serve(conn net.Conn) {
	b.mu.Lock()
	number := b.count
	b.count++
	b.conns[conn] = struct{}{}
	b.mu.Unlock()
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.conns, conn)
		b.mu.Unlock()
	}()
	for reader := bufio.NewReader(conn); ; {
		request, err := readRequest(reader)
		if err != nil {
			return
		}
		request.Conn, request.conn, request.t, request.reader = number, conn, b.t, reader
		b.mu.Lock()
		handler := b.handler
		b.mu.Unlock()
		if handler != nil {
			go handler(request)
		} else {
			b.requests <- request
		}
		reply, ok := <-request.reply
		if !ok {
			return
		}
		if b.oneShot {
			reply = strings.Replace(reply, "HTTP/1.1", "HTTP/1.0", 1)
		}
		_, err = io.WriteString(conn, reply)
		if request.tunnel {
			<-b.closed
			return
		}
		if err != nil || b.oneShot || strings.Contains(reply, "Connection: close\r\n") {
			return
		}
	}
}

// Next waits for the next request.
func (b *Backend) Next() *Request {
	b.t.Helper()
	if b.oneShot {
		_ = b.listener.(*net.TCPListener).SetDeadline(time.Now().Add(Patience))
		conn, err := b.listener.Accept()
		if err != nil {
			b.t.Fatalf("the backend got no connection: %v", err)
		}
		go b.serve(conn)
	}
	select {
	case r := <-b.requests:
		return r
	case <-time.After(Patience):
		b.t.Fatal("the backend got no request")
		return nil
	}
}

// None fails when a request comes within Quiet.
func (b *Backend) None() {
	b.t.Helper()
	select {
	case r := <-b.requests:
		b.t.Errorf("the backend got a request that it must not get:\n%s\n%s", r.Head, r.Body)
		r.Drop()
	case <-time.After(Quiet):
	}
}

package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/port"
)

// network is a network in memory for one synctest bubble: what listens on which address, and which hangs.
type network struct {
	mu       sync.Mutex
	backends map[string]*memBackend
	attempts []attempt
}

// attempt is one try to connect.
type attempt struct {
	addr string
	at   time.Time
}

// memBackend is a backend in memory. Requests arrive on requests; the test answers them.
type memBackend struct {
	listener *memnet.Listener
	requests chan *memRequest
	hangs    bool // attempts to connect get no answer
	mu       sync.Mutex
	conns    int // open now
	total    int
}

// memRequest is a request that a backend got.
type memRequest struct {
	head, body string
	conn       net.Conn
	done       chan string // the answer's bytes; empty closes the connection
}

// respond answers a request.
func (r *memRequest) respond(s string) { r.done <- s }

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func newNetwork() *network { return &network{backends: map[string]*memBackend{}} }

// listen starts a backend that is closed with the test.
func (n *network) listen(t *testing.T, addr string) *memBackend {
	t.Helper()
	b := &memBackend{listener: memnet.Listen(64 << 10), requests: make(chan *memRequest, 100)}
	n.mu.Lock()
	n.backends[addr] = b
	n.mu.Unlock()
	go b.accept()
	t.Cleanup(func() { b.listener.Close() })
	return b
}

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.attempts = append(n.attempts, attempt{addr, time.Now()})
	b := n.backends[addr]
	n.mu.Unlock()
	switch {
	case b == nil:
		return nil, syscall.ECONNREFUSED
	case b.hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.listener.DialContext(ctx, "tcp", addr)
}

func (n *network) tries() []attempt {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]attempt(nil), n.attempts...)
}

func (b *memBackend) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.count(1)
		go b.serve(c)
	}
}

func (b *memBackend) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns += n
	b.total += max(n, 0)
}

// open returns how many connections are open, and how many there were.
func (b *memBackend) open() (now, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conns, b.total
}

func (b *memBackend) serve(c net.Conn) {
	defer b.count(-1)
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		head, body, err := readRequest(r)
		if err != nil {
			return
		}
		req := &memRequest{head: head, body: body, conn: c, done: make(chan string, 1)}
		b.requests <- req
		// The request may be given up before the test answers it.
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			r.Peek(1)
		}()
		select {
		case s := <-req.done:
			if s == "" {
				return
			}
			io.WriteString(c, s)
		case <-gone:
			return
		}
		<-gone
	}
}

// destination makes a destination in the bubble; it is closed with the test.
func (n *network) destination(t *testing.T, cfg DestinationConfig, deps Deps) *Destination {
	t.Helper()
	deps.Dial = n.dial
	d := NewDestination("backend", cfg, deps)
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// outcome is the end of a call.
type outcome struct {
	reply port.Reply
	err   error
	at    time.Time
}

// call starts a call in the background.
func call(ctx context.Context, d *Destination, path string) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		reply, err := d.Call(ctx, &port.Call{Path: path})
		out <- outcome{reply, err, time.Now()}
	}()
	return out
}

// ended tells whether a call has ended; call it after synctest.Wait.
func ended(t *testing.T, out <-chan outcome, want error) {
	t.Helper()
	select {
	case o := <-out:
		if !errors.Is(o.err, want) || (o.err == nil) != (want == nil) {
			t.Errorf("the call ended with %v, want %v", o.err, want)
		}
	default:
		t.Errorf("the call has not ended, want %v", want)
	}
}

func pending(t *testing.T, out <-chan outcome) {
	t.Helper()
	select {
	case o := <-out:
		t.Errorf("the call has ended: %+v", o)
	default:
	}
}

// errGone is short for the tests.
var errGone = port.ErrGone

// call1 makes a call that ends at once.
func call1(t *testing.T, d *Destination) <-chan outcome {
	t.Helper()
	out := call(t.Context(), d, "/")
	synctest.Wait()
	return out
}

func contains(s, part string) bool { return strings.Contains(s, part) }

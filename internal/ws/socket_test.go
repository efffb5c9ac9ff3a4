package ws

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Tests over real sockets: what an in-memory network cannot show.

// countingListener counts the write calls that reach its connections' sockets. Its connections embed *net.TCPConn as
// the server's own listeners' do, so writev works through them.
type countingListener struct {
	net.Listener
	writes atomic.Int64
}

type countingConn struct {
	*net.TCPConn
	l *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{c.(*net.TCPConn), l}, nil
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.l.writes.Add(1)
	return c.TCPConn.Write(p)
}

func (c *countingConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.TCPConn.SyscallConn()
	return countingRaw{raw, c.l}, err
}

type countingRaw struct {
	syscall.RawConn
	l *countingListener
}

func (r countingRaw) Write(f func(fd uintptr) bool) error {
	return r.RawConn.Write(func(fd uintptr) bool {
		r.l.writes.Add(1)
		return f(fd)
	})
}

// collect serves connections that ignore what they get and hands them out.
func collect(t testing.TB, o Options, onText func(c *Conn, p []byte) error) (http.HandlerFunc, chan *Conn, chan int) {
	conns, ends := make(chan *Conn, 2000), make(chan int, 2000)
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := Take(w, r, o)
		if err != nil {
			t.Error(err)
			return
		}
		if err := c.Upgrade(""); err != nil {
			t.Error(err)
		}
		_ = c.Send(NewText([]byte("hello")))
		c.Release()
		c.Serve(func(p []byte) error {
			if onText == nil {
				return nil
			}
			return onText(c, p)
		}, func(code int, _ string) { ends <- code })
		conns <- c
	}, conns, ends
}

func TestOneWritePerFlush(t *testing.T) {
	l := &countingListener{Listener: listen(t)}
	group := NewGroup()
	handle, conns, ends := collect(t, Options{Group: group}, nil)
	s := serve(t, l, handle)
	c := s.dial(t)
	if _, p, err := c.ReadMessage(); string(p) != "hello" {
		t.Fatal(string(p), err)
	}
	if n := l.writes.Load(); n != 1 {
		t.Errorf("101 and hello took %d write calls, want 1", n)
	}
	conn := <-conns
	l.writes.Store(0)
	// While no flusher may start, frames gather.
	group.flushers.mu.Lock()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { _ = conn.Send(NewText(fmt.Appendf(nil, "%d", i))) })
	}
	for {
		if _, n := conn.Queued(); n == 100 {
			break
		}
		runtime.Gosched()
	}
	group.flushers.mu.Unlock()
	wg.Wait()
	for range 100 {
		if _, _, err := c.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.writes.Load(); n != 1 {
		t.Errorf("100 frames took %d write calls, want 1", n)
	}
	_ = c.Close()
	<-ends
}

// rawDial makes a websocket without a goroutine and reads what comes first.
func rawDial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write([]byte(handshakeText)); err != nil {
		t.Fatal(err)
	}
	readUntil(t, c, "\x81\x05hello")
	return c
}

func readUntil(t testing.TB, c net.Conn, suffix string) {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 1024)
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	for !strings.HasSuffix(got.String(), suffix) {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(buf[:n])
	}
}

// TestManySendersOverSockets: whatever happens at the same time, each connection gets each sender's frames in order and
// complete, while others leave.
func TestManySendersOverSockets(t *testing.T) {
	const clients, senders, frames = 20, 8, 300
	handle, conns, ends := collect(t, Options{Group: NewGroup(), MaxOutFrames: 1 << 20, MaxOutBytes: 1 << 30}, nil)
	s := serve(t, listen(t), handle)
	var wg sync.WaitGroup
	for i := range clients {
		c := s.dial(t)
		wg.Go(func() {
			defer c.Close()
			next := make([]int, senders)
			for got := range senders*frames + 1 {
				if i%4 == 3 && got == 100 {
					return // leaves in the middle
				}
				_, p, err := c.ReadMessage()
				if err != nil {
					t.Errorf("client %d after %d frames: %v", i, got, err)
					return
				}
				var sender, n int
				if _, err := fmt.Sscanf(string(p), "%d %d ", &sender, &n); err != nil {
					continue // hello
				}
				if n != next[sender] {
					t.Errorf("client %d: frame %d of sender %d, want %d", i, n, sender, next[sender])
					return
				}
				next[sender]++
			}
		})
	}
	var targets []*Conn
	for range clients {
		targets = append(targets, <-conns)
	}
	for sender := range senders {
		wg.Go(func() {
			for n := range frames {
				f := NewText(fmt.Appendf(nil, "%d %d %s", sender, n, strings.Repeat("x", n*n%20_000)))
				for _, c := range targets {
					_ = c.Send(f)
				}
			}
		})
	}
	wg.Wait()
	for range clients {
		<-ends
	}
}

// TestSlowSocket is TestSlowClient where the kernel's buffers are the network.
func TestSlowSocket(t *testing.T) {
	k := &Counters{}
	handle, conns, ends := collect(t, Options{Group: NewGroup(), Counters: k, CloseTimeout: time.Minute, MaxOutBytes: 1 << 20}, nil)
	s := serve(t, listen(t), handle)
	c := s.dial(t)
	conn := <-conns
	f := NewText(make([]byte, 10_000))
	sent := 0
	for ; conn.Send(f) == nil; sent++ {
		runtime.Gosched()
		if sent > 10_000 {
			t.Fatal("the client is never too slow")
		}
	}
	got := 0
	for {
		_, p, err := c.ReadMessage()
		if err != nil {
			if !websocket.IsCloseError(err, CodeSlow) {
				t.Errorf("got %v, want 4013", err)
			}
			break
		}
		if len(p) == 10_000 {
			got++
		}
	}
	if got == 0 || got >= sent {
		t.Errorf("got %d of %d frames", got, sent)
	}
	if code := <-ends; code != CodeSlow {
		t.Errorf("ended with %d", code)
	}
}

// TestBurstIsNotSlow: a sender that is faster than the flushers makes nobody slow as long as the network takes all.
func TestBurstIsNotSlow(t *testing.T) {
	const n = 2000
	handle, conns, ends := collect(t, Options{Group: NewGroup(), MaxOutFrames: 16, MaxOutBytes: 1000}, nil)
	s := serve(t, listen(t), handle)
	c := s.dial(t)
	conn := <-conns
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				if err := conn.Send(NewText([]byte("0123456789"))); err != nil {
					t.Errorf("frame %d: %v", i, err)
					return
				}
			}
		})
	}
	for i := range n + 1 {
		if _, _, err := c.ReadMessage(); err != nil {
			t.Fatalf("after %d frames: %v", i, err)
		}
	}
	wg.Wait()
	_ = c.Close()
	<-ends
}

// TestFlushersAreBounded: however many connections become dirty at once, there are no more flushers than allowed.
func TestFlushersAreBounded(t *testing.T) {
	const n = 100
	group := NewGroup()
	group.flushers.max = 2
	handle, conns, ends := collect(t, Options{Group: group}, nil)
	s := serve(t, listen(t), handle)
	clients := make([]net.Conn, n)
	targets := make([]*Conn, n)
	for i := range clients {
		clients[i] = rawDial(t, s.addr)
		targets[i] = <-conns
	}
	f := NewText([]byte("x"))
	for range 20 {
		for _, c := range targets {
			if err := c.Send(f); err != nil {
				t.Fatal(err)
			}
			group.flushers.mu.Lock()
			if r := group.flushers.running; r > 2 {
				t.Errorf("%d flushers, want at most 2", r)
			}
			group.flushers.mu.Unlock()
		}
	}
	for _, c := range clients {
		readUntil(t, c, strings.Repeat("\x81\x01x", 20))
		_ = c.Close()
	}
	for range n {
		<-ends
	}
}

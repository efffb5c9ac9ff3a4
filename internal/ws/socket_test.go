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

// TestGoroutines holds the promise of one goroutine for each idle connection: its reader. The server's own has ended,
// and the group has none.
func TestGoroutines(t *testing.T) {
	const n = 200
	handle, conns, ends := collect(t, Options{Group: NewGroup()}, func(c *Conn, p []byte) error { return c.Send(NewText(p)) })
	s := serve(t, listen(t), handle)
	clients := make([]net.Conn, n)
	for i := range clients {
		clients[i] = rawDial(t, s.addr)
	}
	for range n {
		<-conns
	}
	settle(t, n)
	for _, c := range clients { // and it is the same after messages and pongs, which renew the reader
		if _, err := c.Write(join(masked(OpText, "x"), masked(OpPong, ""))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		readUntil(t, c, "\x81\x01x")
	}
	settle(t, n)
	for _, c := range clients {
		_ = c.Close()
	}
	for range n {
		<-ends
	}
	settle(t, 0)
}

// settle waits until there are as many readers as wanted and no other goroutine that serves a connection.
func settle(t *testing.T, readers int) {
	t.Helper()
	buf := make([]byte, 4<<20)
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		all := string(buf[:runtime.Stack(buf, true)])
		ws := strings.Count(all, "\ncreated by github.com/swindon-go/swindon/internal/ws.")
		reading := strings.Count(all, "internal/ws.(*Conn).read(")
		tests := strings.Count(all, "\ncreated by github.com/swindon-go/swindon/internal/ws.serve")
		serving := strings.Count(all, "net/http.(*conn).serve(")
		if reading == readers && ws-tests == readers && serving == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d readers, %d goroutines of ours, %d of net/http; want %d, %d, 0\n%s", reading, ws-tests, serving, readers, readers, all)
		}
	}
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

// TestStackShrinks: a reader whose stack a message has grown starts anew with a small one when the client is idle.
func TestStackShrinks(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's frames are larger")
	}
	const n = 400
	handle, conns, ends := collect(t, Options{Group: NewGroup()}, func(c *Conn, p []byte) error {
		if deep(1000) == 0 {
			return nil
		}
		return c.Send(NewText(p))
	})
	s := serve(t, listen(t), handle)
	before := stacks()
	clients := make([]net.Conn, n)
	for i := range clients {
		clients[i] = rawDial(t, s.addr)
	}
	for range n {
		<-conns
	}
	each := func(send []byte, answer string) {
		for _, c := range clients {
			if _, err := c.Write(send); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range clients {
			readUntil(t, c, answer)
		}
	}
	each(masked(OpText, "x"), "\x81\x01x")
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); int(m.StackInuse)-before < n*8<<10 {
		t.Errorf("%d bytes of stack for a connection after a deep handler: the test tests nothing", (int(m.StackInuse)-before)/n)
	}
	each(join(masked(OpPong, ""), masked(OpPing, "y")), "\x8a\x01y")
	if b := (stacks() - before) / n; b > 2200 {
		t.Errorf("%d bytes of stack for an idle connection, want about 2 KiB", b)
	}
	for _, c := range clients {
		_ = c.Close()
	}
	for range n {
		<-ends
	}
}

// deep uses about 100 bytes of stack for each level.
//
//go:noinline
func deep(n int) int {
	var pad [12]int
	if n == 0 {
		return 1
	}
	pad[n%12] = deep(n - 1)
	return pad[n%12]
}

// stacks is the memory of all stacks after garbage collection.
func stacks() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
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

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	handle, conns, ends := collect(t, Options{Group: NewGroup()}, nil)
	s := serve(t, listen(t), handle)
	c := rawDial(t, s.addr)
	conn := <-conns
	f := NewText([]byte("0123456789"))
	buf := make([]byte, 1024)
	_ = c.SetReadDeadline(time.Time{})
	// A frame sent and written, flusher included.
	if n := testing.AllocsPerRun(1000, func() {
		_ = conn.Send(f)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("sending a frame: %v allocations, want at most 1 (the flusher)", n)
	}
	// A message received and answered.
	ping := masked(OpPing, "")
	if n := testing.AllocsPerRun(1000, func() {
		_, _ = c.Write(ping)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("a ping and its pong: %v allocations, want at most 3", n)
	}
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

package ws

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a connection may cost at most.

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

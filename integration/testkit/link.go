package testkit

import (
	"io"
	"net"
	"sync"
	"time"
)

// Link is a TCP relay that a test can break. All methods may be called at any time.
type Link struct {
	listener net.Listener
	target   string

	mu      sync.Mutex // guards what follows
	pairs   map[*pair]struct{}
	cut     bool
	down    bool
	delay   time.Duration
	rate    int           // bytes per second and direction; 0 is no limit
	changed chan struct{} // closed and replaced when cut, delay or rate change
}

// pair is one relayed connection.
type pair struct{ near, far net.Conn }

// Link starts a relay in front of an address and sets the name to the relay's.
func (e *Env) Link(name, target string) *Link {
	e.T.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.T.Fatal(err)
	}
	l := &Link{listener: listener, target: target, pairs: make(map[*pair]struct{}), changed: make(chan struct{})}
	e.Set(name, listener.Addr().String())
	go l.accept()
	e.T.Cleanup(func() {
		_ = listener.Close()
		l.Reset()
		l.set(func() { l.cut, l.delay, l.rate = false, 0, 0 })
	})
	return l
}

// Addr is where the relay listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Cut lets nothing through any more; connections stay open and silent, new ones are accepted and silent, as in a partition.
func (l *Link) Cut() { l.set(func() { l.cut = true }) }

// Heal undoes Cut; what waited is delivered.
func (l *Link) Heal() { l.set(func() { l.cut = false }) }

// Down breaks the link so that both sides notice: connections are reset, new ones end at once.
func (l *Link) Down() {
	l.set(func() { l.down = true })
	l.Reset()
}

// Up undoes Down.
func (l *Link) Up() { l.set(func() { l.down = false }) }

// Delay makes each piece of data wait so long.
func (l *Link) Delay(d time.Duration) { l.set(func() { l.delay = d }) }

// Throttle limits the bytes per second of each direction; 0 is no limit.
func (l *Link) Throttle(bytesPerSecond int) { l.set(func() { l.rate = bytesPerSecond }) }

// Reset closes all connections with a TCP reset.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pairs {
		for _, conn := range []net.Conn{p.near, p.far} {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}
}

// Open is how many connections are relayed now.
func (l *Link) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

func (l *Link) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

func (l *Link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.relay(near)
	}
}

func (l *Link) relay(near net.Conn) {
	defer func() { _ = near.Close() }()
	if l.isDown() {
		return
	}
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	p := &pair{near, far}
	l.mu.Lock()
	down := l.down
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	if down {
		l.Reset()
	}
	var both sync.WaitGroup
	both.Go(func() { l.copy(far, near) })
	both.Go(func() { l.copy(near, far) })
	both.Wait()
	l.mu.Lock()
	delete(l.pairs, p)
	l.mu.Unlock()
}

func (l *Link) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.hold(n)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err == io.EOF {
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// hold waits as long as n bytes have to.
func (l *Link) hold(n int) {
	for {
		l.mu.Lock()
		cut, delay, rate, changed := l.cut, l.delay, l.rate, l.changed
		l.mu.Unlock()
		if cut {
			<-changed
			continue
		}
		if rate > 0 {
			delay += time.Duration(n) * time.Second / time.Duration(rate)
		}
		if delay == 0 {
			return
		}
		select {
		case <-time.After(delay):
			return
		case <-changed:
		}
	}
}

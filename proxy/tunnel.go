package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// halfOpenSilence bounds the silence of the side that still may send after the other one has ended.
const halfOpenSilence = 30 * time.Second

// tunnel joins a client's and a backend's connection after an upgrade. It lives until a side ends (decision D32): when
// one has nothing more to say, the other is told and may finish. While both are silent it costs two small goroutines
// and no buffer.
type tunnel struct {
	d               *Destination
	backend         *backend
	client, server  net.Conn
	fromClientFirst []byte // came with the request
	fromServerFirst []byte // the response head, and what came behind it
	half            atomic.Bool
	done            chan struct{}
}

// start lets the bytes flow and returns at once.
func (t *tunnel) start() {
	go func() {
		defer close(t.done)
		var both sync.WaitGroup
		both.Go(func() { t.pump(t.server, t.client, t.fromClientFirst) })
		t.pump(t.client, t.server, t.fromServerFirst)
		both.Wait()
		t.cut()
		t.d.endTunnel(t)
	}()
}

// cut ends the tunnel at once. It may be called by anyone, repeatedly.
func (t *tunnel) cut() {
	_ = t.client.Close()
	_ = t.server.Close()
}

// pump carries bytes one way until src ends.
func (t *tunnel) pump(dst, src net.Conn, first []byte) {
	if len(first) > 0 {
		if _, err := dst.Write(first); err != nil {
			t.cut()
			return
		}
	}
	from := newLazyReader(src)
	for {
		err := from.forward(dst)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.cut()
			return
		}
		if t.half.Load() {
			_ = src.SetReadDeadline(time.Now().Add(halfOpenSilence))
		}
	}
	t.half.Store(true)
	_ = dst.SetReadDeadline(time.Now().Add(halfOpenSilence))
	if w, ok := dst.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		t.cut()
	}
}

// unclaim gives up a request's claim to a tunnel of the backend.
func (d *Destination) unclaim(b *backend) {
	d.mu.Lock()
	defer d.unlock()
	b.tunnels--
	d.dispatch()
}

// beginTunnel takes a connection out of the connections' count and makes it a tunnel. It returns false when the
// destination is closed: the connection must be dropped.
func (d *Destination) beginTunnel(c *conn, t *tunnel) bool {
	d.mu.Lock()
	defer d.unlock()
	if d.closed {
		return false
	}
	d.busy.remove(c)
	c.backend.conns--
	d.open--
	d.tunnels[t] = struct{}{}
	d.stats.connected.Add(-1)
	d.stats.tunnels.Add(1)
	d.stats.tunnelsTotal.Add(1)
	d.dispatch()
	return true
}

func (d *Destination) endTunnel(t *tunnel) {
	d.mu.Lock()
	defer d.unlock()
	delete(d.tunnels, t)
	t.backend.tunnels--
	d.stats.tunnels.Add(-1)
	d.stats.dropped.Add(1)
	d.dispatch()
}

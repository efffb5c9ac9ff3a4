package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/web"
)

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"

// startEcho is a backend that upgrades, says "early" with its head, and then echoes until the client ends; then it says
// "bye". heads gets the request heads.
func startEcho(t *testing.T, heads chan<- string) *rawBackend {
	return startRaw(t, func(c net.Conn, r *bufio.Reader) {
		head, _, err := readRequest(r)
		if err != nil {
			return
		}
		if heads != nil {
			heads <- head
		}
		io.WriteString(c, switching+"early")
		io.Copy(c, r)
		io.WriteString(c, "bye")
	})
}

// expect reads exactly what is wanted.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	p := make([]byte, len(want))
	if n, err := io.ReadFull(r, p); err != nil || string(p) != want {
		t.Fatalf("read %q (%v), want %q", p[:n], err, want)
	}
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	heads := make(chan string, 1)
	b := startEcho(t, heads)
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, nil)
	f.record = func(rec *web.Record) { rec.Debug = true }
	c, r := f.raw(t, upgradeRequest+"sent early")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Accept": "y", "Server": "swindon/1.0.0",
		"X-Swindon-Route": "main",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if resp.StatusCode != 101 || resp.Header.Get("Date") == "" {
		t.Errorf("status %d, Date %q", resp.StatusCode, resp.Header.Get("Date"))
	}
	expect(t, r, "earlysent early")
	io.WriteString(c, "hello")
	expect(t, r, "hello")
	if s := d.Stats(); s.Connected != 0 || s.Tunnels != 1 {
		t.Errorf("with a tunnel: %+v", s)
	}
	c.(*net.TCPConn).CloseWrite() // the other direction lives on until the backend has said everything
	expect(t, r, "bye")
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	head := <-heads
	for _, line := range []string{"Host: h", "Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Key: x"} {
		if !strings.Contains(head, "\r\n"+line+"\r\n") {
			t.Errorf("request lacks %q:\n%s", line, head)
		}
	}
	if strings.Contains(head, "Content-Length") {
		t.Errorf("an upgrade announces a body:\n%s", head)
	}
}

// A tunnel does not take a place from the requests, and ends with the backend.
func TestTunnelLeavesCount(t *testing.T) {
	t.Parallel()
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, _, err := readRequest(r)
			if err != nil {
				return
			}
			if strings.Contains(head, "Upgrade: ") {
				io.WriteString(c, switching)
				r.ReadByte()
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	cfg := testConfig(b.addr)
	cfg.BackendConnectionsPerIPPort, cfg.InFlightRequestsPerBackendConnection = 1, 1
	cfg.MaxTunnelsPerIPPort = 2
	d := newTestDestination(t, cfg, Deps{})
	f := startProxy(t, d, nil)
	var clients []net.Conn
	for range 2 {
		c, r := f.raw(t, upgradeRequest)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
			t.Fatalf("upgrade: %v %v", resp, err)
		}
		clients = append(clients, c)
	}
	if resp := f.do(t, "GET", "/", ""); resp.StatusCode != 200 {
		t.Errorf("a request beside tunnels got %d", resp.StatusCode)
	}
	_, r := f.raw(t, upgradeRequest)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("one tunnel too many: %v %v", resp, err)
	}
	io.WriteString(clients[0], "x") // makes the backend hang up
	clients[0].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := clients[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the backend hung up: %v", err)
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, nil)
	for range 2 { // the connection stays usable
		_, r := f.raw(t, upgradeRequest)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 403 {
			t.Fatalf("%v %v", resp, err)
		}
		if got := bodyOf(t, resp); got != "no" {
			t.Errorf("body %q", got)
		}
	}
	if n := b.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.backends[0].tunnels; n != 0 {
		t.Errorf("%d tunnels are still claimed", n)
	}
}

// Closing the destination cuts its tunnels.
func TestCloseCutsTunnels(t *testing.T) {
	t.Parallel()
	b := startEcho(t, nil)
	d := NewDestination("backend", testConfig(b.addr), Deps{})
	f := startProxy(t, d, nil)
	_, r := f.raw(t, upgradeRequest)
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "early")
	d.Close(t.Context())
	if _, err := r.ReadByte(); err == nil {
		t.Error("the tunnel lives on")
	}
}

// Upgrades go to the backend with the fewest tunnels, whatever else it does.
func TestFewestTunnelsFirst(t *testing.T) {
	t.Parallel()
	a, b := startEcho(t, nil), startEcho(t, nil)
	d := newTestDestination(t, testConfig(a.addr, b.addr), Deps{})
	f := startProxy(t, d, nil)
	for i := range 6 {
		_, r := f.raw(t, upgradeRequest)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
			t.Fatalf("%v %v", resp, err)
		}
		onA, onB := a.conns.Load(), b.conns.Load()
		if int(onA+onB) != i+1 || max(onA, onB)-min(onA, onB) > 1 {
			t.Errorf("after %d tunnels: %d and %d", i+1, onA, onB)
		}
	}
}

// An upgrade that finds its backend busy waits its turn like any request, and one that waits does not hold up others.
func TestUpgradeWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		set := d.set.Load()
		busy := call(t.Context(), d, "/busy")
		synctest.Wait()
		got := make(chan *conn, 1)
		claim := &turn{tunnel: true}
		go func() {
			c, err := d.acquire(t.Context(), set, claim, nil)
			if err != nil {
				t.Error(err)
			}
			got <- c
		}()
		synctest.Wait()
		after := call(t.Context(), d, "/after")
		synctest.Wait()
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, busy, nil)
		c := <-got // the connection that became free serves for the upgrade
		pending(t, after)
		if _, total := b.open(); total != 1 {
			t.Errorf("%d connections", total)
		}
		tun := &tunnel{d: d, backend: c.backend}
		if !d.beginTunnel(c, tun) {
			t.Fatal("the destination is not closed")
		}
		req := <-b.requests // the tunnel has left the count: a new connection serves the next request
		req.respond(okResponse)
		synctest.Wait()
		ended(t, after, nil)
		c.Close()
		d.endTunnel(tun)
		if s := d.Stats(); s.Tunnels != 0 || s.TunnelsOpened != 1 || s.Connected != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// After one side has ended, the other may be silent for halfOpenSilence at most; as long as it speaks it lives on.
func TestTunnelHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newNetwork().destination(t, limited(1, "10.0.0.1"), Deps{})
		client, clientSide := memnet.Pipe(0)
		serverSide, server := memnet.Pipe(0)
		tun := &tunnel{d: d, backend: &backend{}, client: clientSide, server: serverSide, done: make(chan struct{})}
		start := time.Now()
		tun.start()
		client.CloseWrite()
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the backend got %v", err)
		}
		for range 5 {
			time.Sleep(20 * time.Second)
			io.WriteString(server, "x")
			expect(t, client, "x")
		}
		<-tun.done
		if took := time.Since(start); took != 100*time.Second+halfOpenSilence {
			t.Errorf("the tunnel ended after %v", took)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client got %v", err)
		}
	})
}

// A tunnel in which a side breaks off ends at once on the other.
func TestTunnelBreaksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newNetwork().destination(t, limited(1, "10.0.0.1"), Deps{})
		client, clientSide := memnet.Pipe(0)
		serverSide, server := memnet.Pipe(0)
		tun := &tunnel{d: d, backend: &backend{}, client: clientSide, server: serverSide, done: make(chan struct{})}
		tun.start()
		server.Close()
		synctest.Wait()
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client got %v", err)
		}
		client.Close()
		<-tun.done
	})
}

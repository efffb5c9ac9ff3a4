package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestManyCallsInFlight: the greatest value that the configuration takes stops nobody's reading.
func TestManyCallsInFlight(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1 << 31, 3_000_000_000, 1 << 32} {
		manyCalls(t, limit)
	}
}

// busyBackend publishes to a connection while it authorizes it, and says hello with so many bytes.
type busyBackend struct {
	node   **node
	pushes int
	hello  string
}

func (d busyBackend) Call(ctx context.Context, _ *port.Call) (port.Reply, error) {
	p := (*d.node).pool
	if err := p.Subscribe(ctx, names.ConnID{Node: (*d.node).id}, "t"); err != nil {
		return port.Reply{}, err
	}
	for i := range d.pushes {
		if err := p.Publish(ctx, "t", fmt.Append(nil, i)); err != nil {
			return port.Reply{}, err
		}
	}
	return port.Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(d.hello)}, nil
}

// TestMuchBeforeHello: what was kept within max-pending-bytes is delivered however many messages it is, and so is a
// hello of any size; the bounds of the outbox are for slow clients.
func TestMuchBeforeHello(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.pool.MaxOutgoingFrames, s.pool.MaxOutgoingBytes = 10, 1000
	hello := `{"user_id":"ann","x":"` + fmt.Sprintf("%5000d", 1) + `"}`
	var nd *node
	d := busyBackend{&nd, 5000, hello}
	nd = startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: d}, true
	})
	r := handshake(t, nd.listener)
	if _, p, err := readFrame(r); err != nil || string(p) != `["hello",{},`+hello+`]` {
		t.Fatalf("instead of hello: %.100q, %v", p, err)
	}
	for i := range d.pushes {
		if _, p, err := readFrame(r); err != nil || string(p) != fmt.Sprintf(`["message",{"topic":"t"},%d]`, i) {
			t.Fatalf("message %d: %q, %v", i, p, err)
		}
	}
	if err := nd.pool.Publish(t.Context(), "t", []byte(`"live"`)); err != nil {
		t.Fatal(err)
	}
	if _, p, err := readFrame(r); err != nil || string(p) != `["message",{"topic":"t"},"live"]` {
		t.Errorf("afterwards: %q, %v", p, err)
	}
}

// handshake opens a websocket and reads the 101.
func handshake(t *testing.T, l *memnet.Listener) *bufio.Reader {
	t.Helper()
	nc, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	fmt.Fprintf(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", gateway.Subprotocol)
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v %v", resp, err)
	}
	return r
}

// TestPoolComesBack: a session pool that was removed and is configured again answers for its connections alone, also
// while the old one still waits for a client to say goodbye.
func TestPoolComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := instant{http.Header{"Content-Type": {"application/json"}}}
		dests := func(string) (backend.Destination, bool) { return backend.Destination{HTTP: d}, true }
		network, s := memory.NewNetwork(0), newSetup(t)
		other := startNodeWith(t, 2, newSetup(t), network, dests)
		old := startNodeWith(t, 1, s, network, dests)
		silent := open(t, old.listener, "/ws", []string{"mute: yes"})
		synctest.Wait()
		stopped := make(chan struct{})
		go func() { old.pool.Stop(); close(stopped) }()
		synctest.Wait()
		select {
		case <-stopped:
			t.Fatal("the old one has not waited")
		default:
		}
		// The old one answers nothing any more; if it did, it would race with its successor.
		if err := other.pool.Subscribe(t.Context(), names.ConnID{Node: old.id}, "t"); !errors.Is(err, port.ErrGone) {
			t.Errorf("a connection of the old one: %v", err)
		}
		back := startNodeWith(t, 1, s, network, dests)
		c := open(t, back.listener, "/ws", nil)
		synctest.Wait()
		if err := other.pool.Subscribe(t.Context(), names.ConnID{Node: back.id, N: 1}, "t"); err != nil {
			t.Errorf("its connection: %v", err)
		}
		if err := other.pool.Publish(t.Context(), "t", []byte("1")); err != nil {
			t.Error(err)
		}
		<-stopped
		for _, want := range []string{"101 " + gateway.Subprotocol, `["hello",{},{"user_id":"ann"}]`, `["message",{"topic":"t"},1]`, ""} {
			if got := c.next(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		for _, want := range []string{"101 " + gateway.Subprotocol, `["hello",{},{"user_id":"ann"}]`, "close 4001 session_pool_stopped"} {
			if got := silent.next(); got != want {
				t.Errorf("the old client got %q, want %q", got, want)
			}
		}
	})
}

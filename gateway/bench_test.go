package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/port"
)

// instant is a destination that authorizes everybody and answers every call at once.
type instant struct{ header http.Header }

func (d instant) Call(_ context.Context, c *port.Call) (port.Reply, error) {
	body := `{"ok":true}`
	if strings.HasSuffix(c.Path, "authorize_connection") {
		body = `{"user_id":"ann"}`
	}
	return port.Reply{Status: 200, Header: d.header, Body: []byte(body)}, nil
}

// connect opens a connection whose frames the caller reads.
func connect(tb testing.TB, nd *node) (*client, *bufio.Reader) {
	tb.Helper()
	nc, err := nd.listener.Dial(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	fmt.Fprintf(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", gateway.Subprotocol)
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("handshake: %v %v", resp, err)
	}
	if _, _, err := readFrame(r); err != nil {
		tb.Fatal(err)
	}
	return &client{conn: nc}, r
}

func benchNode(b *testing.B) *node {
	b.Helper()
	d := instant{http.Header{"Content-Type": {"application/json"}}}
	return startNodeWith(b, 1, newSetup(b), memory.NewNetwork(0), func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: d}, true
	})
}

func BenchmarkCall(b *testing.B) {
	nd := benchNode(b)
	c, r := connect(b, nd)
	frame := []byte(`["chat.send_message",{"request_id":12345,"active":120},["hello there, this is a message of usual length"],{"room":"red"}]`)
	b.ReportAllocs()
	for b.Loop() {
		c.send(0x81, frame)
		if _, _, err := readFrame(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	nd := benchNode(b)
	body := `{"text":"` + strings.Repeat("x", 117) + `"}`
	header := http.Header{"Content-Type": {"application/json"}}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/publish/rooms/red", strings.NewReader(body))
		r.Header = header
		w := httptest.NewRecorder()
		nd.api.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			b.Fatal(w.Code)
		}
	}
}

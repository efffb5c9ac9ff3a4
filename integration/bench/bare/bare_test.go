package bare

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func dial(t *testing.T, server *httptest.Server) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

func TestFanout(t *testing.T) {
	t.Parallel()
	fanout := NewFanout()
	server := httptest.NewServer(fanout)
	t.Cleanup(server.Close)
	conns := []*websocket.Conn{dial(t, server), dial(t, server)}
	for count := 0; count < 2; { // a handshake's answer leaves before its connection is registered
		fanout.mu.RLock()
		count = len(fanout.conns)
		fanout.mu.RUnlock()
	}
	want := []string{"one", strings.Repeat("x", 300), strings.Repeat("y", 70000)}
	for _, body := range want {
		resp, err := http.Post(server.URL+"/publish", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Fatalf("publish answered %s", resp.Status)
		}
	}
	for i, c := range conns {
		for _, body := range want {
			_, got, err := c.ReadMessage()
			if err != nil || string(got) != body {
				t.Fatalf("connection %d got %d bytes, %v; want %d bytes", i, len(got), err, len(body))
			}
		}
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(Echo())
	t.Cleanup(server.Close)
	c := dial(t, server)
	for _, body := range []string{"a", "b", "c"} {
		if err := c.WriteMessage(websocket.TextMessage, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []string{"a", "b", "c"} {
		if _, got, err := c.ReadMessage(); err != nil || string(got) != body {
			t.Fatalf("got %q, %v; want %q", got, err, body)
		}
	}
}

func TestBackend(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(Backend())
	t.Cleanup(server.Close)
	for _, test := range []struct{ path, body, want string }{
		{"/swindon/authorize_connection", `[{"connection_id":"abc-7"},[],{}]`, `{"user_id":"user7","connection_id":"abc-7"}`},
		{"/bench/echo", `[{"request_id":1},["x"],{}]`, `"x"`},
		{"/bench/echo", `[{"request_id":1},[],{}]`, `null`},
	} {
		resp, err := http.Post(server.URL+test.path, "application/json", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != test.want {
			t.Errorf("POST %s %s = %s, want %s", test.path, test.body, got, test.want)
		}
	}
	resp, err := http.Get(server.URL + "/1k")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if len(got) != 1024 {
		t.Errorf("GET /1k has %d bytes", len(got))
	}
}

// A full queue makes the sender wait until there is room or the connection ends.
func TestFullQueueWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &conn{queue: make(chan *message, queueLength), done: make(chan struct{})} // without its writer
		m := newMessage([]byte("x"))
		for range queueLength {
			if !c.send(m) {
				t.Fatal("refused")
			}
		}
		sent := make(chan bool, 2)
		go func() { sent <- c.send(m) }()
		synctest.Wait()
		if len(sent) != 0 {
			t.Fatal("a full queue took one more")
		}
		<-c.queue
		if !<-sent {
			t.Error("refused although there was room")
		}
		go func() { sent <- c.send(m) }()
		synctest.Wait()
		close(c.done)
		if <-sent {
			t.Error("sent on a connection that had ended")
		}
	})
}

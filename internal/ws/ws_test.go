package ws

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/swindon-go/swindon/internal/web"
)

func verify(m *testing.M) { goleak.VerifyTestMain(m) }

// server runs handle for each handshake on a real listener of the loopback interface.
type server struct {
	addr string
}

func serve(t testing.TB, l net.Listener, handle http.HandlerFunc) *server {
	t.Helper()
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			web.SetRecord(r.Context(), &web.Record{ServerName: "swindon/1.0.0", ID: "id"})
			handle(w, r)
		}),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return web.NewConnContext(ctx) },
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return &server{addr: l.Addr().String()}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *server) dial(t testing.TB) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Connection"); got != "upgrade" {
		t.Errorf("Connection: %q, want upgrade", got)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestEchoOverSocket(t *testing.T) {
	s := serve(t, listen(t), func(w http.ResponseWriter, r *http.Request) {
		if k := Classify(r); k != Websocket {
			t.Errorf("Classify = %v", k)
		}
		c, err := Take(w, r, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		if err := c.Upgrade(""); err != nil {
			t.Error(err)
		}
		_ = c.Send(NewText([]byte("hello")))
		c.Release()
		c.Serve(func(p []byte) error { return c.Send(NewText(p)) }, func(code int, _ string) {
			if code != 1000 {
				t.Errorf("closed with %d", code)
			}
		})
	})
	c := s.dial(t)
	for _, want := range []string{"hello", "abc", string(make([]byte, 100000))} {
		if want != "hello" {
			if err := c.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
				t.Fatal(err)
			}
		}
		_, p, err := c.ReadMessage()
		if err != nil || string(p) != want {
			t.Fatalf("got %.10q (%d), %v", p, len(p), err)
		}
	}
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Now().Add(time.Second))
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 1000) {
		t.Fatalf("got %v", err)
	}
}

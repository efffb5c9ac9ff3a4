package builtin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// echoBubble runs test in a synctest bubble against the echo handler.
func echoBubble(t *testing.T, test func(t *testing.T, l *memnet.Listener)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen(0)
		h := NewEcho(ws.NewGroup(), nil, slog.New(slog.DiscardHandler))
		srv := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				rec := &web.Record{ServerName: "swindon/1.0.0"}
				h.ServeHTTP(web.NewWriter(w, rec), r.WithContext(web.WithRecord(r.Context(), rec)))
			}),
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = srv.Serve(l)
		}()
		test(t, l)
		h.Drain(t.Context())
		_ = srv.Close()
		<-done
	})
}

func dialEcho(t *testing.T, l *memnet.Listener) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{NetDialContext: l.DialContext, Subprotocols: []string{"unknown"}}
	c, resp, err := d.DialContext(context.Background(), "ws://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.Header.Values("Sec-Websocket-Protocol"); len(p) != 0 {
		t.Errorf("subprotocol %q was chosen", p)
	}
	if s := resp.Header.Get("Server"); s != "swindon/1.0.0" {
		t.Errorf("Server: %q", s)
	}
	return c
}

func TestEcho(t *testing.T) {
	t.Parallel()
	echoBubble(t, func(t *testing.T, l *memnet.Listener) {
		c := dialEcho(t, l)
		for _, m := range []struct {
			op      int
			payload []byte
		}{
			{websocket.TextMessage, []byte("hello")},
			{websocket.TextMessage, []byte(`{"a":[1,2,{"b":null}]}`)},
			{websocket.TextMessage, nil},
			{websocket.BinaryMessage, []byte{0, 1, 254, 255}},
			{websocket.BinaryMessage, bytes.Repeat([]byte("x"), 10<<20)},
		} {
			written := make(chan error, 1)
			go func() { written <- c.WriteMessage(m.op, m.payload) }()
			op, p, err := c.ReadMessage()
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			if err != nil || op != m.op || !bytes.Equal(p, m.payload) {
				t.Fatalf("got %d %.20q (%d bytes), %v; want %d %.20q", op, p, len(p), err, m.op, m.payload)
			}
		}
		pongs := 0
		c.SetPongHandler(func(s string) error {
			if s != "are you there" {
				t.Errorf("pong %q", s)
			}
			pongs++
			return nil
		})
		_ = c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(time.Minute))
		// Nothing arrives for a whole day: no message, no ping of the server's own.
		c.SetPingHandler(func(string) error { t.Error("got a ping"); return nil })
		_ = c.SetReadDeadline(time.Now().Add(24 * time.Hour))
		if _, p, err := c.ReadMessage(); err == nil {
			t.Errorf("got %q, want nothing", p)
		}
		if pongs != 1 {
			t.Errorf("%d pongs, want 1", pongs)
		}
		_ = c.Close()
	})
}

func TestEchoCloses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		send func(c *websocket.Conn) error
		want int
	}{
		{"with the client's code", func(c *websocket.Conn) error {
			return c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4321, "bye"))
		}, 4321},
		{"message over 10 MiB", func(c *websocket.Conn) error {
			return c.WriteMessage(websocket.BinaryMessage, make([]byte, 10<<20+1))
		}, 1009},
		{"unmasked frame", func(c *websocket.Conn) error {
			_, err := c.NetConn().Write([]byte("\x81\x01x"))
			return err
		}, 1002},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			echoBubble(t, func(t *testing.T, l *memnet.Listener) {
				c := dialEcho(t, l)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					_ = tc.send(c)
				}()
				_, p, err := c.ReadMessage()
				if !websocket.IsCloseError(err, tc.want) {
					t.Errorf("got %q, %v; want %d", p, err, tc.want)
				}
				_ = c.Close()
				<-sent
			})
		})
	}
}

func TestEchoRefuses(t *testing.T) {
	t.Parallel()
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, tc := range []struct {
		name, head string
		want       int
	}{
		{"plain", "", 404},
		{"plain with keep-alive", "Connection: keep-alive\r\n", 404},
		{"another upgrade", "Connection: upgrade\r\nUpgrade: h2c\r\n", 404},
		{"no upgrade header", "Connection: upgrade\r\n" + key + "Sec-WebSocket-Version: 13\r\n", 400},
		{"no key", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
		{"bad key", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n", 400},
		{"two keys", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key + key + "Sec-WebSocket-Version: 13\r\n", 400},
		{"no version", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key, 400},
		{"version 12", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key + "Sec-WebSocket-Version: 12\r\n", 400},
		{"a body", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key + "Sec-WebSocket-Version: 13\r\nContent-Length: 1\r\n", 400},
		{"protocol not UTF-8", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: \xff\r\n", 400},
		{"extension not UTF-8", "Connection: upgrade\r\nUpgrade: websocket\r\n" + key + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: \xff\r\n", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			echoBubble(t, func(t *testing.T, l *memnet.Listener) {
				c, err := l.Dial(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"+tc.head+"\r\n"); err != nil {
					t.Fatal(err)
				}
				_ = net.Conn(c).(interface{ CloseWrite() error }).CloseWrite()
				answer, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf("<h1>%d %s</h1>", tc.want, web.Reason(tc.want))
				if !strings.HasPrefix(string(answer), fmt.Sprintf("HTTP/1.1 %d ", tc.want)) || !strings.Contains(string(answer), want) {
					t.Errorf("got %.60q, want the page of %d", answer, tc.want)
				}
			})
		})
	}
}

func TestEchoDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen(0)
		h := NewEcho(ws.NewGroup(), nil, slog.New(slog.DiscardHandler))
		srv := &http.Server{Handler: h}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = srv.Serve(l)
		}()
		c := dialPlainEcho(t, l)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			h.Drain(t.Context())
		}()
		if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("the client saw %v", err)
		}
		_ = c.Close()
		<-drained
		// One that comes too late is closed, too.
		c = dialPlainEcho(t, l)
		if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("the late client saw %v", err)
		}
		_ = c.Close()
		_ = srv.Close()
		<-done
	})
}

// A client that does not answer the Close does not hold the process up for the five seconds that it has otherwise.
func TestEchoDrainOfSilentClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen(0)
		h := NewEcho(ws.NewGroup(), nil, slog.New(slog.DiscardHandler))
		srv := &http.Server{Handler: h}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = srv.Serve(l)
		}()
		c := dialPlainEcho(t, l)
		start := time.Now()
		h.Drain(t.Context())
		if got := time.Since(start); got != closeGrace {
			t.Errorf("took %v, want %v", got, closeGrace)
		}
		_ = c.Close()
		_ = srv.Close()
		<-done
	})
}

func dialPlainEcho(t *testing.T, l *memnet.Listener) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{NetDialContext: l.DialContext}
	c, _, err := d.DialContext(t.Context(), "ws://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

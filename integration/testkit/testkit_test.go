package testkit

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"
)

func TestBackendRecordsRequests(t *testing.T) {
	t.Parallel()
	env := New(t)
	backend := env.Backend("BACKEND")
	client := Dial(t, env.Addr("BACKEND"))
	for _, request := range []string{
		"POST /a HTTP/1.1\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 3\r\n\r\nabc",
		"POST /a HTTP/1.1\r\nX-One: 1\r\nx-one: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
	} {
		client.Send(request)
		got := backend.Next()
		if got.Method != "POST" || got.Target != "/a" || got.Proto != "HTTP/1.1" || got.Body != "abc" || got.Get("X-ONE") != "1,2" || got.Conn != 0 {
			t.Errorf("the backend saw %+v", got)
		}
		got.Reply(http.StatusTeapot, "no", "X-A: b")
		if r := client.Response("POST"); r.Status != http.StatusTeapot || r.Body != "no" || r.Get("x-a") != "b" {
			t.Errorf("the client got %+v", r)
		}
	}
	backend.None()
	client.Send("GET /drop HTTP/1.1\r\n\r\n")
	backend.Next().Drop()
	client.Closed()
}

func TestOneShot(t *testing.T) {
	t.Parallel()
	env := New(t)
	backend := env.OneShot("BACKEND")
	for range 2 {
		client := Dial(t, env.Addr("BACKEND"))
		client.Send("GET / HTTP/1.1\r\n\r\n")
		backend.Next().Reply(http.StatusOK, "hi")
		if r := client.Response("GET"); r.Proto != "HTTP/1.0" || r.Body != "hi" {
			t.Errorf("the client got %+v", r)
		}
		client.Closed()
	}
}

// echoServer sends everything back.
func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func TestLink(t *testing.T) {
	t.Parallel()
	env := New(t)
	link := env.Link("LINK", echoServer(t))
	client := Dial(t, env.Addr("LINK"))
	echo := func(text string) {
		t.Helper()
		b := make([]byte, len(text))
		if _, err := io.ReadFull(client, b); err != nil || string(b) != text {
			t.Fatalf("read %q, %v; want %q", b, err, text)
		}
	}
	client.Send("one")
	echo("one")
	link.Cut()
	client.Send("two")
	client.Silent()
	link.Heal()
	echo("two")
	link.Throttle(1000)
	start := time.Now()
	client.Send(strings.Repeat("x", 100))
	echo(strings.Repeat("x", 100))
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("100 bytes at 1000 bytes a second took %v both ways", took)
	}
	link.Throttle(0)
	link.Delay(50 * time.Millisecond)
	start = time.Now()
	client.Send("three")
	echo("three")
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("a delay of 50 ms took %v both ways", took)
	}
	link.Reset()
	if _, err := client.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("after a reset the client reads %v", err)
	}
	Eventually(t, "the link forgets its connection", func() bool { return link.Open() == 0 })
}

func TestNATSComesBack(t *testing.T) {
	t.Parallel()
	env := New(t)
	server := env.NATS("NATS")
	url := server.URL()
	back := make(chan struct{}, 1)
	nc := Connect(t, url, nats.ReconnectWait(5*time.Millisecond), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	if err := nc.FlushTimeout(Patience); err != nil {
		t.Fatal(err)
	}
	server.Down()
	server.Up()
	if server.URL() != url {
		t.Fatalf("the server came back at %s, was at %s", server.URL(), url)
	}
	select {
	case <-back:
	case <-time.After(Patience):
		t.Fatal("the client does not come back")
	}
}

func TestWebsocketClients(t *testing.T) {
	t.Parallel()
	upgrader := websocket.Upgrader{Subprotocols: []string{Subprotocol}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				return // gorilla has answered the Close
			}
			if string(message) == `"bye"` {
				_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "so"))
				continue
			}
			_ = conn.WriteMessage(kind, message)
		}
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	client := Open(t, addr, "/x").Shake()
	if got := client.Head.Get("Sec-WebSocket-Accept"); got != Accepted {
		t.Errorf("accepted with %q", got)
	}
	for _, size := range []int{1, 200, 70_000} {
		text := fmt.Sprintf("%q", strings.Repeat("x", size))
		client.SendText(text)
		client.Want(text)
	}
	client.Silent()
	client.SendText(`"bye"`)
	client.Closes(4001, "so")

	other := Gorilla(t, addr, "/x", nil)
	if err := other.WriteMessage(websocket.TextMessage, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := other.ReadMessage(); err != nil || string(got) != "hi" {
		t.Errorf("gorilla got %q, %v", got, err)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	l := newLog()
	go func() {
		_, _ = l.Write([]byte("one\nt"))
		_, _ = l.Write([]byte("wo\n"))
		l.finish()
	}()
	l.Await(t, "two")
	if got := l.Lines(); len(got) != 2 || got[1] != "two" {
		t.Errorf("Lines = %q", got)
	}
}

func TestEnvExpands(t *testing.T) {
	t.Parallel()
	env := New(t)
	env.Set("NAME", "value")
	first := env.Expand("${NAME} ${PORT}")
	if second := env.Expand("${NAME} ${PORT}"); first != second || !strings.HasPrefix(first, "value 127.0.0.1:") {
		t.Errorf("expanded to %q and %q", first, second)
	}
	if env.Addr("PORT") == env.Addr("OTHER") {
		t.Error("two names got the same address")
	}
}

package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Requests that no server should take. Each is answered 400 (or closed), reaches no backend, and the next one works.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	for name, request := range map[string]string{
		"no-http":            "hello\r\n\r\n",
		"no-version":         "GET /proxy\r\n\r\n",
		"http-3":             "GET /proxy HTTP/3.0\r\nHost: localhost\r\n\r\n",
		"bad-header":         "GET /proxy HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
		"blank-before-colon": "POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length : 3\r\n\r\nabc",
		"nul-in-header":      "GET /proxy HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
		"two-hosts":          "GET /proxy HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
		"no-host":            "GET /proxy HTTP/1.1\r\n\r\n",
		"two-lengths":        "POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"bad-length":         "POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: -3\r\n\r\nabc",
		"plus-length":        "POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc",
		"huge-length":        "POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
		"unknown-coding":     "POST /proxy HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nabc",
		"control-in-target":  "GET /proxy/\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := testkit.Dial(t, env.Addr("HTTP"))
			client.Send(request)
			status := client.StatusOrClosed()
			if status != 0 && (status < 400 || status >= 600) {
				t.Errorf("answered %d", status)
			}
		})
	}
	backend.None()
	client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
	backend.Next().Reply(200, "fine")
	if r := client.Response("GET"); r.Body != "fine" {
		t.Errorf("the next request is answered\n%s", r.Head)
	}
}

// A body with both a length and chunks is read as chunks, and passed on with a length only: no second request can hide in it.
func TestNoSmuggling(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	client.Send("POST /proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"2c\r\nGET /proxy/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n0\r\n\r\n")
	if status := client.TryResponse(testkit.Quiet); status == 0 {
		got := backend.Next()
		if got.Target != "/proxy" || got.Has("Transfer-Encoding") || got.Get("Content-Length") != fmt.Sprint(len(got.Body)) {
			t.Errorf("the backend got\n%s%q", got.Head, got.Body)
		}
		got.Reply(200, "")
	} else if status < 400 {
		t.Errorf("answered %d", status)
	}
	backend.None()
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Start("first-byte-timeout: 200ms\nheaders-timeout: 400ms\nkeep-alive-timeout: 300ms\ninput-body-whole-timeout: 300ms\n" + lifeConfig)
	addr := env.Addr("HTTP")
	t.Run("first-byte", func(t *testing.T) {
		t.Parallel()
		closesAfter(t, testkit.Dial(t, addr), 200*time.Millisecond)
	})
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		client := testkit.Dial(t, addr)
		client.Send("GET /a HTTP/1.1\r\nHost:")
		closesAfter(t, client, 400*time.Millisecond)
	})
	t.Run("keep-alive", func(t *testing.T) {
		t.Parallel()
		client := testkit.Dial(t, addr)
		client.Send(testkit.HTTP("GET", "/a", ""))
		client.Response("GET")
		closesAfter(t, client, 300*time.Millisecond)
	})
}

// closesAfter wants the server to close silently, not before the time.
func closesAfter(t *testing.T, client *testkit.Client, least time.Duration) {
	t.Helper()
	start := time.Now()
	client.Closed()
	// A tenth less: the server's clock began before ours.
	if took := time.Since(start); took < least*9/10 || took > least+5*time.Second {
		t.Errorf("closed after %v, want %v", took, least)
	}
}

// Bytes before the 101 are kept up to 4 KiB; more closes the connection (decision D6).
func TestEarlyBytes(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/ws")
	_, _ = ws.Write([]byte(strings.Repeat("x", 8<<10)))
	ws.ClosedOrReset()
	auth.AwaitGone()
	testkit.Eventually(t, "the connection is gone", func() bool {
		return c.api("PUT", "/v1/connection/"+id+"/subscriptions/a", "").Get("X-Swindon-Warning") == "connection-gone"
	})
}

// Many clients that come and go in the middle of everything leave nothing behind.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig + "admin:\n  listen: [${ADMIN}]\n")
	c.node.AwaitAddr(env.Addr("ADMIN"))
	c.backend.Handle(func(r *testkit.Request) {
		switch {
		case strings.HasSuffix(r.Target, "/authorize_connection"):
			r.JSON(`{"user_id":"ann"}`)
		case r.Target == "/drop":
			r.Drop()
		default:
			r.JSON(`1`)
		}
	})
	addr := env.Addr("HTTP")
	round := func() {
		half := testkit.Dial(t, addr)
		half.Send("GET /ws HTTP/1.1\r\nHost: local")
		_ = half.Close()
		gone := testkit.Open(t, addr, "/ws") // leaves while it is being authorized, or a moment later
		_ = gone.Close()
		ws := testkit.Open(t, addr, "/ws").Shake()
		ws.Text()
		ws.SendText(`["drop",{"request_id":1},[],{}]`)
		ws.Text()
		ws.SendText(`["a",{"request_id":2},[],{}]`)
		reset := testkit.Open(t, addr, "/ws").Shake()
		reset.Text()
		if tcp, ok := reset.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = reset.Close()
		_ = ws.Close()
		plain := testkit.Dial(t, addr)
		plain.Send(testkit.HTTP("GET", "/nothing", ""))
		plain.Response("GET")
		_ = plain.Close()
	}
	round()
	before := goroutines(t, env)
	for range 30 {
		round()
	}
	testkit.Eventually(t, fmt.Sprintf("%d goroutines again", before), func() bool { return goroutines(t, env) <= before })
}

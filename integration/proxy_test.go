package integration

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

const proxyConfig = `
listen: [${HTTP}]
routing:
  localhost/proxy: plain
  localhost/prefixed: prefixed
  localhost/full: full
  localhost/slow: slow
  localhost/tiny: tiny
  localhost/small: small
handlers:
  plain: !Proxy
    destination: plain
  prefixed: !Proxy
    destination: plain/prefix
  full: !Proxy
    destination: full
    ip-header: X-Real-Ip
  slow: !Proxy
    destination: slow
  tiny: !Proxy
    destination: tiny
  small: !Proxy
    destination: plain
    max-payload-size: 10
http-destinations:
  plain:
    addresses: [${BACKEND}]
  full:
    addresses: [${BACKEND}]
    override-host-header: swindon.internal
    request-id-header: X-Request-Id
  slow:
    addresses: [${BACKEND}]
    max-request-timeout: 100ms
  tiny:
    addresses: [${BACKEND}]
    queue-size-for-503: 1
    backend-connections-per-ip-port: 1
    in-flight-requests-per-backend-connection: 1
`

// send sends a request and returns the connection, on which the response comes later.
func send(t *testing.T, env *testkit.Env, request string) *testkit.Client {
	t.Helper()
	client := testkit.Dial(t, env.Addr("HTTP"))
	client.Send(request)
	return client
}

func TestProxyRequest(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	for name, test := range map[string]struct {
		request, method, target, body string
		headers                       map[string]string // "" means absent
	}{
		"get": {
			testkit.HTTP("GET", "/proxy/hello?a=b%20c", ""), "GET", "/proxy/hello?a=b%20c", "",
			map[string]string{"Host": "localhost", "Content-Length": "0", "User-Agent": "", "Accept-Encoding": "", "X-Forwarded-For": "", "Via": "", "Transfer-Encoding": ""},
		},
		"method": {testkit.HTTP("UPDATED", "/proxy/x", "", "Content-Length: 0"), "UPDATED", "/proxy/x", "", nil},
		"host-with-port": {
			"GET /proxy HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", "GET", "/proxy", "", map[string]string{"Host": "localhost:8080"},
		},
		"http-1.0": {
			"GET /proxy/hello HTTP/1.0\r\nHost: localhost\r\n\r\n", "GET", "/proxy/hello", "", map[string]string{"Host": "localhost"},
		},
		"prefix":  {testkit.HTTP("GET", "/prefixed/a/b", ""), "GET", "/prefix/prefixed/a/b", "", nil},
		"escapes": {testkit.HTTP("GET", "/proxy/a%2Fb/../c//d", ""), "GET", "/proxy/a%2Fb/../c//d", "", nil},
		"absolute-form": {
			"GET http://localhost:80/proxy/x?y HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "/proxy/x?y", "", nil,
		},
		"post": {
			testkit.HTTP("POST", "/proxy/x", "hello", "Content-Type: text/x"), "POST", "/proxy/x", "hello",
			map[string]string{"Content-Length": "5", "Content-Type": "text/x", "Transfer-Encoding": ""},
		},
		"chunked-post": {
			testkit.HTTP("POST", "/proxy/x", "", "Transfer-Encoding: chunked") + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "POST", "/proxy/x", "hello",
			map[string]string{"Content-Length": "5", "Transfer-Encoding": ""},
		},
		"hop-by-hop": {
			testkit.HTTP("GET", "/proxy", "", "Connection: x-gone", "X-Gone: 1", "X-Stays: 2", "X-Stays: 3"), "GET", "/proxy", "",
			map[string]string{"Connection": "", "X-Gone": "", "X-Stays": "2,3"},
		},
		"host-override": {testkit.HTTP("GET", "/full", ""), "GET", "/full", "", map[string]string{"Host": "swindon.internal", "X-Real-Ip": "127.0.0.1"}},
		"ip-header-twice": {
			testkit.HTTP("GET", "/full", "", "X-Real-Ip: 1.2.3.4"), "GET", "/full", "", map[string]string{"X-Real-Ip": "127.0.0.1,1.2.3.4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := send(t, env, test.request)
			got := backend.Next()
			if got.Method != test.method || got.Target != test.target || got.Proto != "HTTP/1.1" || got.Body != test.body {
				t.Errorf("the backend got\n%s%q", got.Head, got.Body)
			}
			for header, want := range test.headers {
				if value := got.Get(header); value != want || want == "" && got.Has(header) {
					t.Errorf("%s: %q, want %q, in\n%s", header, value, want, got.Head)
				}
			}
			got.Reply(http.StatusOK, "OK")
			if r := client.Response(test.method); r.Status != 200 || r.Body != "OK" {
				t.Errorf("the client got\n%s%q", r.Head, r.Body)
			}
		})
	}
	backend.None()
}

func TestProxyRequestID(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	seen := make(map[string]bool)
	for range 3 {
		client := send(t, env, testkit.HTTP("GET", "/full", ""))
		got := backend.Next()
		id := got.Get("X-Request-Id")
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`).MatchString(id) || seen[id] {
			t.Errorf("request id %q after %v", id, seen)
		}
		seen[id] = true
		got.Reply(http.StatusOK, "")
		client.Response("GET")
	}
	client := send(t, env, testkit.HTTP("GET", "/full", "", "X-Request-Id: mine"))
	got := backend.Next()
	if id := got.Get("X-Request-Id"); !strings.HasSuffix(id, ",mine") || len(id) != 37 {
		t.Errorf("with a client's own id: %q", id)
	}
	got.Reply(http.StatusOK, "")
	client.Response("GET")
}

func TestProxyResponse(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	for name, test := range map[string]struct {
		reply, body string
		status      int
		headers     map[string]string
	}{
		"length": {
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\nServer: theirs\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\nhi", "hi", 200,
			map[string]string{"X-A": "1 | 2", "Content-Length": "2", "X-Gone": ""},
		},
		"chunked":     {"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "hi", 201, nil},
		"until-close": {"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhi", "hi", 200, nil},
		"no-content":  {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, nil},
		"teapot":      {"HTTP/1.1 418 Short and stout\r\nContent-Length: 0\r\n\r\n", "", 418, nil},
		"error":       {"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\r\nouch", "ouch", 500, map[string]string{"Content-Type": "a/b"}},
		"redirect":    {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "", 302, map[string]string{"Location": "/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := send(t, env, testkit.HTTP("GET", "/proxy", "", "Connection: close"))
			backend.Next().Raw(test.reply)
			r := client.Response("GET")
			if r.Status != test.status || r.Body != test.body {
				t.Errorf("the client got\n%s%q", r.Head, r.Body)
			}
			for header, want := range test.headers {
				if got := r.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if len(r.All("Server")) != 1 || len(r.All("Date")) != 1 {
				t.Errorf("one Server and one Date expected:\n%s", r.Head)
			}
		})
	}
}

func TestProxyHead(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	client := send(t, env, testkit.HTTP("HEAD", "/proxy", ""))
	backend.Next().Raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
	if r := client.Response("HEAD"); r.Status != 200 || r.Get("Content-Length") != "1234" {
		t.Errorf("HEAD is answered\n%s", r.Head)
	}
	client.Send(testkit.HTTP("GET", "/proxy", ""))
	backend.Next().Reply(200, "next")
	if r := client.Response("GET"); r.Body != "next" {
		t.Errorf("the next request is answered\n%s%q", r.Head, r.Body)
	}
}

// A backend that speaks HTTP/1.0, closes after each answer and accepts one connection per request, as WSGI's does.
func TestProxyOneShotBackend(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.OneShot("BACKEND")
	env.Start(proxyConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	for _, body := range []string{"", "first", "second"} {
		client.Send(testkit.HTTP("POST", "/proxy", body, "X: y"))
		got := backend.Next()
		if got.Body != body || got.Has("Transfer-Encoding") || got.Proto != "HTTP/1.1" {
			t.Errorf("the backend got\n%s%q", got.Head, got.Body)
		}
		got.Reply(200, "got "+body)
		if r := client.Response("POST"); r.Body != "got "+body {
			t.Errorf("the client got\n%s%q", r.Head, r.Body)
		}
	}
}

func TestProxyFailures(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	t.Run("timeout", func(t *testing.T) {
		client := send(t, env, testkit.HTTP("GET", "/slow", ""))
		late := backend.Next()
		wantPage(t, client.Response("GET"), "502 Bad Gateway")
		late.Drop()
	})
	t.Run("dropped", func(t *testing.T) {
		client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
		backend.Next().Drop()
		wantPage(t, client.Response("GET"), "502 Bad Gateway")
	})
	t.Run("malformed", func(t *testing.T) {
		client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
		backend.Next().Raw("SMTP 220 hello\r\n\r\n")
		wantPage(t, client.Response("GET"), "502 Bad Gateway")
	})
	t.Run("two-lengths", func(t *testing.T) {
		client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
		backend.Next().Raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
		wantPage(t, client.Response("GET"), "502 Bad Gateway")
	})
	t.Run("too-large", func(t *testing.T) {
		r := testkit.Do(t, env.Addr("HTTP"), testkit.HTTP("POST", "/small", "eleven bytes"))
		wantPage(t, r, "413 Request Entity Too Large")
	})
	t.Run("queue-full", func(t *testing.T) {
		clients := []*testkit.Client{send(t, env, testkit.HTTP("GET", "/tiny/0", ""))}
		first := backend.Next()
		for range 4 { // one or two of them wait, the others are refused at once
			clients = append(clients, send(t, env, testkit.HTTP("GET", "/tiny/more", "")))
		}
		refused := make(chan *testkit.Response, len(clients))
		for _, client := range clients {
			go func() { refused <- client.Response("GET") }()
		}
		wantPage(t, <-refused, "503 Service Unavailable")
		wantPage(t, <-refused, "503 Service Unavailable")
		backend.Handle(func(r *testkit.Request) { r.Reply(200, "late") })
		first.Reply(200, "first")
		for range len(clients) - 2 {
			if r := <-refused; r.Status != 200 && r.Status != 503 {
				t.Errorf("answered %s", r.Head)
			}
		}
		backend.Handle(nil)
	})
	backend.None()
	if r := testkit.Get(t, env.Addr("HTTP"), "/nothing"); r.Status != 404 {
		t.Errorf("the next request is answered\n%s", r.Head)
	}
}

// A backend that is being restarted is a pause, not an error.
func TestProxyWaitsForBackend(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	addr := env.Addr("BACKEND")
	env.Start(proxyConfig)
	client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
	client.Silent()
	backend := env.BackendAt("BACKEND", addr)
	backend.Next().Reply(200, "back")
	if r := client.Response("GET"); r.Body != "back" {
		t.Errorf("the client got\n%s%q", r.Head, r.Body)
	}
}

// Connections are opened when needed, and used again.
func TestProxyConnections(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	for range 5 {
		client.Send(testkit.HTTP("GET", "/proxy", ""))
		backend.Next().Reply(200, "x")
		client.Response("GET")
	}
	if got := backend.Conns(); got != 1 {
		t.Errorf("5 requests in a row took %d connections", got)
	}
	first, second := send(t, env, testkit.HTTP("GET", "/proxy/1", "")), send(t, env, testkit.HTTP("GET", "/proxy/2", ""))
	one, two := backend.Next(), backend.Next()
	if one.Conn == two.Conn {
		t.Errorf("two requests at the same time share connection %d", one.Conn)
	}
	one.Reply(200, "x")
	two.Reply(200, "x")
	first.Response("GET")
	second.Response("GET")
	if got := backend.Conns(); got != 2 {
		t.Errorf("two requests at the same time took %d connections", got)
	}
}

func TestProxyTunnel(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(proxyConfig)
	client := send(t, env, testkit.Handshake("/proxy/ws"))
	got := backend.Next()
	if !strings.EqualFold(got.Get("Upgrade"), "websocket") || !strings.EqualFold(got.Get("Connection"), "upgrade") || got.Get("Sec-WebSocket-Key") == "" {
		t.Fatalf("the backend got\n%s", got.Head)
	}
	conn := got.Tunnel("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + testkit.Accepted + "\r\n\r\nearly")
	if r := client.Response("GET"); r.Status != 101 || r.Get("Sec-WebSocket-Accept") != testkit.Accepted {
		t.Fatalf("the client got\n%s", r.Head)
	}
	client.WantRaw("early")
	client.Send("up")
	conn.WantRaw("up")
	conn.Send("down")
	client.WantRaw("down")
	_ = conn.Close()
	client.Closed()
}

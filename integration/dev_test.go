package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// startDev starts swindon-dev and waits until it serves.
func startDev(e *testkit.Env, args ...string) *testkit.Process {
	e.T.Helper()
	addr := e.Addr("HTTP")
	_, port, _ := strings.Cut(addr, ":")
	p := e.Launch(testkit.Binary(e.T, "cmd/swindon-dev"), append([]string{"--port", port}, args...)...)
	p.Stdout.Await(e.T, "Listening at "+addr+"\n")
	p.AwaitAddr(addr)
	return p
}

// The line of the README: files and a proxied route, trailing slash and all, websockets included.
func TestDevServesFilesAndProxies(t *testing.T) {
	t.Parallel()
	e := testkit.New(t)
	e.File("public/index.html", "<p>hello")
	e.File("public/sub/style.css", "p {}")
	b := e.Backend("BACKEND")
	startDev(e, "./public", "/api/=http://"+b.Addr())
	addr := e.Addr("HTTP")

	for _, host := range []string{"localhost", "127.0.0.1", "devd.io", addr} {
		r := testkit.Do(t, addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if r.Status != 200 || r.Body != "<p>hello" || r.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %q", host, r.Status, r.Body)
		}
	}
	if r := testkit.Get(t, addr, "/sub/style.css"); r.Status != 200 || r.Get("X-Swindon-Route") != "h0" {
		t.Errorf("style.css: %d, route %s", r.Status, r.Get("X-Swindon-Route"))
	}

	c := testkit.Dial(t, addr)
	c.Send(testkit.HTTP("GET", "/api/rooms?x=1", ""))
	q := b.Next()
	if q.Target != "/api/rooms?x=1" || q.Get("Host") != "localhost" || q.Get("X-Forwarded-For") != "127.0.0.1" || len(q.Get("X-Request-Id")) != 32 {
		t.Errorf("the backend got %s %+v", q.Target, q.Headers)
	}
	q.JSON(`{}`)
	if r := c.Response("GET"); r.Status != 200 || r.Body != "{}" {
		t.Errorf("%d %q", r.Status, r.Body)
	}

	c = testkit.Dial(t, addr)
	c.Send(testkit.Handshake("/api/socket"))
	q = b.Next()
	tunnel := q.Tunnel("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfrom the backend")
	if r := c.Response("GET"); r.Status != 101 {
		t.Fatalf("upgrade: %d", r.Status)
	}
	c.WantRaw("from the backend")
	c.Send("from the client")
	tunnel.WantRaw("from the client")
}

// The whole gateway from the command line: calls and authorization at one address, the backend API on the next port.
func TestDevLattice(t *testing.T) {
	t.Parallel()
	e := testkit.New(t)
	b := e.Backend("BACKEND")
	_, api, _ := strings.Cut(e.Addr("API"), ":")
	p := startDev(e, "--lattice", "/ws=http://"+b.Addr(), "--api-port", api, "--nats", e.Addr("NATS"))
	p.Stdout.Await(t, "Backend API at "+e.Addr("API"))
	p.Stdout.Await(t, "NATS for backends at "+e.Addr("NATS"))

	c := testkit.Open(t, e.Addr("HTTP"), "/ws")
	q := b.Next()
	if q.Target != "/swindon/authorize_connection" || q.Get("Host") != b.Addr() {
		t.Errorf("authorization: %s, Host %s", q.Target, q.Get("Host"))
	}
	id := connectionID(t, q)
	q.JSON(`{"user_id":"ann"}`)
	c.Shake()
	c.Want(`["hello",{},{"user_id":"ann"}]`)

	if r := testkit.Do(t, e.Addr("API"), testkit.HTTP("PUT", "/v1/connection/"+id+"/subscriptions/rooms/red", "")); r.Status != 204 {
		t.Fatalf("subscribe: %d", r.Status)
	}
	nc := testkit.Connect(t, "nats://"+e.Addr("NATS"))
	if _, err := nc.Request("sw.main.pub.rooms.red", []byte(`"over nats"`), testkit.Patience); err != nil {
		t.Fatal(err)
	}
	c.Want(`["message",{"topic":"rooms.red"},"over nats"]`)
}

// What --show-config prints is what swindon runs.
func TestDevShowConfig(t *testing.T) {
	t.Parallel()
	e := testkit.New(t)
	e.File("public/index.html", "hello")
	_, port, _ := strings.Cut(e.Addr("HTTP"), ":")
	out, err := exec.Command(testkit.Binary(t, "cmd/swindon-dev"), "--show-config", "-p", port, "--crossdomain", e.Dir+"/public").Output()
	if err != nil {
		t.Fatal(err)
	}
	e.StartFile(e.File("shown.yaml", string(out)), e.Addr("HTTP"))
	r := testkit.Get(t, e.Addr("HTTP"), "/")
	if r.Status != 200 || r.Body != "hello" || r.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %q, Access-Control-Allow-Origin %q", r.Status, r.Body, r.Get("Access-Control-Allow-Origin"))
	}
}

func TestDevCrossdomainProxy(t *testing.T) {
	t.Parallel()
	e := testkit.New(t)
	b := e.Backend("BACKEND")
	startDev(e, "--crossdomain", "http://"+b.Addr())
	c := testkit.Dial(t, e.Addr("HTTP"))
	c.Send(testkit.HTTP("GET", "/x", ""))
	b.Next().JSON(`1`)
	if r := c.Response("GET"); r.Status != 200 || r.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d, Access-Control-Allow-Origin %q", r.Status, r.Get("Access-Control-Allow-Origin"))
	}
}

func TestDevUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--version"}, 0, "1.0.0\n"},
		{[]string{"-h"}, 0, "Usage: swindon-dev"},
		{[]string{"/api=https://h"}, 2, "http:// only"},
		{[]string{"--port", "x"}, 2, "invalid argument"},
		{[]string{"--port", "70000"}, 2, "1 to 65535"},
		{[]string{"--nope"}, 2, "unknown flag"},
	} {
		out, err := exec.Command(testkit.Binary(t, "cmd/swindon-dev"), c.args...).CombinedOutput()
		code := 0
		if exit, ok := err.(*exec.ExitError); ok {
			code = exit.ExitCode()
		}
		if code != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: status %d, %q", c.args, code, out)
		}
	}
}

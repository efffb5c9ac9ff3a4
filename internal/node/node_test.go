package node

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/swindon-go/swindon/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// allHandlers has every kind of handler and authorizer there is.
const allHandlers = `
listen: [127.0.0.1:0]
admin: {listen: [127.0.0.1:0]}
routing:
  "*": site
  "*/file": file
  "*/versioned": versioned
  "*/api": api
  "*/gif": gif
  "*/status": status
  "*/base": base
  www.example.com: www
  "*/echo": echo
  "*/bin": bin
  "*/ws": ws @inside
  "*/circle": circle-a
  "*/chain": chain @ldap
handlers:
  site: !Static {path: .}
  file: !SingleFile {path: node.go}
  versioned: !VersionedStatic {versioned-root: /tmp, plain-root: /tmp, version-arg: r, version-split: [2], version-chars: lowercase_hex}
  api: !Proxy {destination: app}
  gif: !EmptyGif
  status: !SelfStatus
  base: !BaseRedirect {redirect-to-domain: example.com}
  www: !StripWWWRedirect
  echo: !WebsocketEcho
  bin: !HttpBin
  ws: !SwindonLattice {session-pool: main, http-route: gif, message-handlers: {"*": app, "pizza.*": pizza}}
  chain: !SwindonLattice {session-pool: main, http-route: ws, message-handlers: {"*": app}}
  circle-a: !SwindonLattice {session-pool: main, http-route: circle-b, message-handlers: {"*": app}}
  circle-b: !SwindonLattice {session-pool: main, http-route: circle-a, message-handlers: {"*": app}}
authorizers:
  inside: !SourceIp {allowed-network: localhost}
  ldap: !Ldap {destination: l, search-base: b, login-attribute: l, password-attribute: p}
networks: {localhost: [127.0.0.0/8]}
session-pools:
  main: {listen: [127.0.0.1:0]}
http-destinations:
  app: {addresses: [127.0.0.1:1], override-host-header: app, queue-timeout: 100ms}
nats-destinations:
  pizza: {no-responders-timeout: 100ms}
ldap-destinations:
  l: {addresses: [127.0.0.1:1]}
`

func load(t *testing.T, text string) *config.Loaded {
	t.Helper()
	l, err := config.FromBytes("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startNode runs a node until the test ends.
func startNode(t *testing.T, text string) *Node {
	t.Helper()
	n, err := New(Options{Loaded: load(t, text), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.Stop(ctx)
	})
	return n
}

// get asks a node for a path; host is the Host header.
func get(t *testing.T, addr, host, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	// One connection per request: nothing stays open behind a test.
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

func mainAddr(t *testing.T, n *Node) string {
	t.Helper()
	addrs := n.Addrs()
	if len(addrs) != 1 {
		t.Fatalf("addresses %v", addrs)
	}
	return addrs[0].String()
}

func TestEveryHandler(t *testing.T) {
	n := startNode(t, allHandlers)
	addr := mainAddr(t, n)
	for _, c := range []struct {
		host, path string
		want       int
	}{
		{"h", "/node.go", 200},
		{"h", "/file/whatever", 200},
		{"h", "/versioned/x?r=aa", 501},
		{"h", "/api", 503}, // nobody listens there
		{"h", "/gif", 200},
		{"h", "/status", 200},
		{"h", "/base", 301},
		{"www.example.com", "/x", 301},
		{"h", "/echo", 404},
		{"h", "/bin/ip", 501},
		{"h", "/ws", 200},     // its http-route
		{"h", "/circle", 404}, // leads nowhere, and ends
		{"h", "/chain", 501},  // nobody passes !Ldap yet
	} {
		if got := get(t, addr, c.host, c.path).StatusCode; got != c.want {
			t.Errorf("%s%s: %d, want %d", c.host, c.path, got, c.want)
		}
	}
	admin := n.admin.group.Addrs()[0].String()
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/metrics": 200, "/status": 200} {
		if got := get(t, admin, "h", path).StatusCode; got != want {
			t.Errorf("admin %s: %d", path, got)
		}
	}
	api := n.APIAddrs("main")[0].String()
	if got := get(t, api, "h", "/v1/connection/x/subscriptions/y").StatusCode; got != 404 {
		t.Errorf("api: %d", got)
	}
}

// Whatever fails at the start leaves nothing running (goleak looks).
func TestStartFails(t *testing.T) {
	busy := startNode(t, "listen: [127.0.0.1:0]")
	for name, text := range map[string]string{
		"port in use":     "listen: [" + mainAddr(t, busy) + "]\nsession-pools: {main: {listen: [127.0.0.1:0]}}",
		"api port in use": "listen: [127.0.0.1:0]\nsession-pools: {main: {listen: [" + mainAddr(t, busy) + "]}}",
		"nats store":      "session-pools: {main: }\nnats: {store-dir: /dev/null/x}",
	} {
		n, err := New(Options{Loaded: load(t, text), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err == nil {
			t.Errorf("%s: started", name)
			n.Stop(t.Context())
		}
	}
}

func TestPrivileges(t *testing.T) {
	n, err := New(Options{Loaded: load(t, "listen: [127.0.0.1:0]\nset-user: no-such-user"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = n.Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "Can't drop privileges: ") {
		t.Errorf("%v", err)
	}
}

func TestReload(t *testing.T) {
	const first = `
listen: [127.0.0.1:0]
routing: {"*": a}
handlers: {a: !EmptyGif }
`
	n := startNode(t, first)
	addr := mainAddr(t, n)
	if got := get(t, addr, "h", "/").StatusCode; got != 200 {
		t.Fatal(got)
	}
	// New handlers, a new session pool (and with it NATS), a new destination: all without a restart.
	second := load(t, `
listen: [127.0.0.1:0]
routing: {"*": a, "*/ws": ws, "*/api": p}
handlers:
  a: !BaseRedirect {redirect-to-domain: x}
  ws: !SwindonLattice {session-pool: main, http-route: a, message-handlers: {"*": app}}
  p: !Proxy {destination: app}
session-pools: {main: {listen: [127.0.0.1:0]}}
http-destinations: {app: {addresses: [127.0.0.1:1], override-host-header: x, queue-timeout: 50ms}}
`)
	if err := n.Reload(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if got := mainAddr(t, n); got != addr {
		t.Errorf("the address moved to %s", got)
	}
	for path, want := range map[string]int{"/": 301, "/ws": 301, "/api": 503} {
		if got := get(t, addr, "h", path).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	api := n.APIAddrs("main")
	if len(api) != 1 {
		t.Fatalf("backend API at %v", api)
	}
	kept := n.pools["main"]
	// Settings change in place, other things go.
	third := load(t, `
listen: [127.0.0.1:0]
routing: {"*/ws": ws}
handlers:
  ws: !SwindonLattice {session-pool: main, message-handlers: {"*": app}}
session-pools: {main: {listen: [127.0.0.1:0], max-payload-size: 5}}
http-destinations: {app: {addresses: [127.0.0.1:1], override-host-header: x}}
`)
	if err := n.Reload(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	if n.pools["main"] != kept || kept.pool.Config().MaxPayloadSize != 5 {
		t.Error("the session pool was not kept and changed")
	}
	if got := get(t, addr, "h", "/").StatusCode; got != 404 {
		t.Errorf("/: %d", got)
	}
	// And the session pool itself.
	if err := n.Reload(t.Context(), load(t, first)); err != nil {
		t.Fatal(err)
	}
	if len(n.pools) != 0 {
		t.Errorf("session pools %v", n.pools)
	}
	if got := get(t, addr, "h", "/").StatusCode; got != 200 {
		t.Errorf("/: %d", got)
	}
}

// A session pool that is configured again begins when nothing of the old one runs any more.
func TestReloadAwaitsRemovedPool(t *testing.T) {
	const without, with = `
listen: [127.0.0.1:0]
routing: {"*": a}
handlers: {a: !EmptyGif }
session-pools: {other: {listen: [127.0.0.1:0]}}
`, `
listen: [127.0.0.1:0]
routing: {"*": a}
handlers: {a: !EmptyGif }
session-pools: {other: {listen: [127.0.0.1:0]}, main: {listen: [127.0.0.1:0]}}
`
	n := startNode(t, with)
	if err := n.Reload(t.Context(), load(t, without)); err != nil {
		t.Fatal(err)
	}
	gone := n.retired["main"]
	if gone == nil {
		t.Fatal("nobody waits for the old one")
	}
	<-gone
	slow := make(chan struct{})
	n.retired["main"] = slow
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := n.Reload(ctx, load(t, with)); err == nil || n.pools["main"] != nil {
		t.Errorf("it has not waited: %v", err)
	}
	close(slow)
	if err := n.Reload(t.Context(), load(t, with)); err != nil || n.pools["main"] == nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Run follows the file and stays with the old configuration when the new one is wrong, which it says once.
func TestRunFollowsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "swindon.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("listen: []")
	loaded, err := config.Load(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(lineLog, 100)
	hangup := make(chan struct{}, 1)
	reads := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{
			Loaded: loaded, Log: slog.New(slog.NewTextHandler(lines, nil)), Hangup: hangup,
			Reload: func() (*config.Loaded, error) {
				reads <- struct{}{}
				return config.Load(file, nil, nil)
			},
		})
	}()
	lines.await(t, "Started with server_id")
	write("listen: nonsense")
	lines.await(t, "Reading new config")
	// A file that is gone is looked for every second, and missed once.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	lines.await(t, "Reading new config: IO error: ")
	for range 2 + len(reads) {
		<-reads
	}
	hangup <- struct{}{}
	lines.await(t, "Reading new config: IO error: ")
	write("listen: []\ndebug-routing: true")
	lines.await(t, "Updated config: ")
	// The same content again, at once and on demand: nothing to tell.
	hangup <- struct{}{}
	write("listen: []\ndebug-routing: true\nset-user: nobody")
	lines.await(t, "set-user")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(lines)
	for line := range lines {
		if strings.Contains(line, "Reading new config") || strings.Contains(line, "Updated config") {
			t.Errorf("also said: %s", line)
		}
	}
}

// lineLog hands log lines to a test.
type lineLog chan string

func (l lineLog) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// await skips lines up to the one with the text; none of the kind that tells of a reload may be skipped.
func (l lineLog) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return
			}
			if strings.Contains(line, "Reading new config") {
				t.Errorf("unexpected: %s", line)
			}
		case <-late:
			t.Fatalf("%q was not logged", text)
		}
	}
}

package integration

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

const lifeConfig = `
listen: [${HTTP}]
admin:
  listen: [${ADMIN}]
routing:
  localhost/a: a
handlers:
  a: !EmptyGif
`

func TestStart(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	node := env.Start(lifeConfig)
	if got, want := node.Stdout.String(), "Listening at "+env.Addr("HTTP")+"\n"; got != want {
		t.Errorf("stdout is %q, want %q", got, want)
	}
	node.Stderr.Await(t, "Started with server_id ")
	line := regexp.MustCompile(`(?m)^ WARN \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: [a-z_:]+: Started with server_id [A-Za-z0-9_-]{32}, config [0-9a-f]{128}`)
	if !line.MatchString(node.Stderr.String()) {
		t.Errorf("stderr is %s", node.Stderr.String())
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/metrics": 200, "/nothing": 404} {
		if r := testkit.Get(t, env.Addr("ADMIN"), path); r.Status != want {
			t.Errorf("%s is answered\n%s", path, r.Head)
		}
	}
	if r := testkit.Get(t, env.Addr("ADMIN"), "/metrics"); !strings.Contains(r.Body, "\ngo_goroutines ") {
		t.Errorf("no go_goroutines in the metrics")
	}
}

func TestStartPortTaken(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	listener, err := net.Listen("tcp", env.Addr("HTTP"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	out := testkit.Run(t, "--config", env.File("swindon.yaml", lifeConfig))
	if out.Code != 1 || !strings.Contains(out.Stderr, env.Addr("HTTP")) {
		t.Errorf("exit %d, stderr: %s", out.Code, out.Stderr)
	}
}

// Every part of the configuration is looked at once a second, SIGHUP looks at once (decision D40).
func TestReload(t *testing.T) {
	t.Parallel()
	for name, nudge := range map[string]func(*testkit.Process){
		"by-itself": func(*testkit.Process) {},
		"sighup":    func(p *testkit.Process) { p.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testkit.New(t)
			env.File("routes.yaml", "localhost/a: a\n")
			config := strings.Replace(lifeConfig, "routing:\n  localhost/a: a\n", "routing: !*Include routes.yaml\n", 1)
			node := env.Start(config)
			client := testkit.Dial(t, env.Addr("HTTP"))
			ask := func(target string) int {
				client.Send(testkit.HTTP("GET", target, ""))
				return client.Response("GET").Status
			}
			if ask("/a") != 200 || ask("/b") != 404 {
				t.Fatal("the first configuration does not serve")
			}
			// An invalid one changes nothing and is reported.
			env.File("routes.yaml", "localhost/b/: a\n")
			nudge(node)
			node.Stderr.Await(t, "Reading new config: ")
			if ask("/a") != 200 || ask("/b") != 404 {
				t.Error("an invalid configuration changed something")
			}
			env.File("routes.yaml", "localhost/b: a\n")
			nudge(node)
			node.Stderr.Await(t, "Updated config: ")
			if ask("/a") != 404 || ask("/b") != 200 {
				t.Error("the new configuration is not in force")
			}
		})
	}
}

func TestReloadListeners(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	node := env.Start(lifeConfig)
	old := testkit.Dial(t, env.Addr("HTTP"))
	old.Send(testkit.HTTP("GET", "/a", ""))
	old.Response("GET")
	env.File("swindon.yaml", strings.Replace(lifeConfig, "${HTTP}", "${OTHER}", 1))
	node.Signal(syscall.SIGHUP)
	node.AwaitAddr(env.Addr("OTHER"))
	if r := testkit.Get(t, env.Addr("OTHER"), "/a"); r.Status != 200 {
		t.Errorf("the new address answers\n%s", r.Head)
	}
	testkit.Eventually(t, "the old address is closed", func() bool {
		conn, err := net.Dial("tcp", env.Addr("HTTP"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	old.Send(testkit.HTTP("GET", "/a", "")) // established connections live on
	if r := old.Response("GET"); r.Status != 200 {
		t.Errorf("the old connection answers\n%s", r.Head)
	}
}

// Session pools and destinations live on by name.
func TestReloadKeepsWebsockets(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	other := c.Backend("BACKEND") // the destination has another address now
	c.File("swindon.yaml", strings.Replace(chatConfig, "debug-routing: false", "debug-routing: true", 1))
	c.node.Signal(syscall.SIGHUP)
	c.node.Stderr.Await(t, "Updated config: ")
	c.accepted("POST", "/v1/publish/room", `1`)
	ws.Want(`["message",{"topic":"room"},1]`)
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	other.Next().JSON(`"from the new backend"`)
	ws.Want(`["result",{"request_id":1},"from the new backend"]`)
	c.backend.None()
}

func TestReloadRemovesSessionPool(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	pending, _, _ := c.open("/ws")
	c.File("swindon.yaml", lifeConfig)
	c.node.Signal(syscall.SIGHUP)
	ws.Closes(4001, "session_pool_stopped")
	if c.node.Ended() {
		t.Fatal("the program ended")
	}
	_ = pending
	testkit.Eventually(t, "the new configuration is in force", func() bool { return testkit.Get(t, c.Addr("HTTP"), "/a").Status == 200 })
	// And back again.
	c.File("swindon.yaml", chatConfig)
	c.node.Signal(syscall.SIGHUP)
	testkit.Eventually(t, "the old configuration is in force", func() bool { return testkit.Get(t, c.Addr("HTTP"), "/a").Status == 404 })
	again, _ := c.connect("ann")
	again.Silent()
}

// SIGTERM: promptly, whatever is open (decision D41).
func TestStop(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	idle := testkit.Dial(t, c.Addr("HTTP"))
	idle.Send(testkit.HTTP("GET", "/nothing", ""))
	idle.Response("GET")
	fresh := testkit.Dial(t, c.Addr("HTTP"))
	ws, _ := c.connect("ann")
	start := time.Now()
	c.node.Signal(syscall.SIGTERM)
	idle.Closed()
	ws.Closes(1001, "going_away")
	if code := c.node.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	fresh.Closed()
}

func TestStopFinishesCalls(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	node := env.Start(proxyConfig)
	client := send(t, env, testkit.HTTP("GET", "/proxy", ""))
	call := backend.Next()
	node.Signal(syscall.SIGTERM)
	testkit.Eventually(t, "no new connections", func() bool {
		conn, err := net.Dial("tcp", env.Addr("HTTP"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	call.Reply(200, "finished")
	if r := client.Response("GET"); r.Body != "finished" {
		t.Errorf("the call under way is answered\n%s%s", r.Head, r.Body)
	}
	client.Closed()
	if code := node.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestStopSecondSignal(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	node := env.Start(proxyConfig)
	send(t, env, testkit.HTTP("GET", "/proxy", ""))
	backend.Next()
	node.Signal(syscall.SIGTERM)
	testkit.Eventually(t, "no new connections", func() bool {
		conn, err := net.Dial("tcp", env.Addr("HTTP"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	start := time.Now()
	node.Signal(syscall.SIGTERM)
	node.Wait()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the second signal took %v", took)
	}
}

// One idle connection costs one goroutine, the whole budget's first line (architecture: a connection's life, 4).
func TestOneGoroutinePerConnection(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig + "admin:\n  listen: [${ADMIN}]\n")
	c.node.AwaitAddr(env.Addr("ADMIN"))
	c.backend.Handle(func(r *testkit.Request) { r.JSON(`{"user_id":"ann"}`) })
	first := testkit.Open(t, env.Addr("HTTP"), "/ws").Shake() // what starts lazily has started
	first.Text()
	before := goroutines(t, env)
	const connections = 50
	for range connections {
		ws := testkit.Open(t, env.Addr("HTTP"), "/ws").Shake()
		ws.Text()
	}
	var after int
	testkit.Eventually(t, fmt.Sprintf("%d goroutines become %d", before, before+connections), func() bool {
		after = goroutines(t, env)
		return after == before+connections
	})
}

var goGoroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

// goroutines reads how many goroutines the program has.
func goroutines(t *testing.T, env *testkit.Env) (n int) {
	t.Helper()
	found := goGoroutines.FindStringSubmatch(testkit.Get(t, env.Addr("ADMIN"), "/metrics", "Connection: close").Body)
	if found == nil {
		t.Fatal("no go_goroutines in the metrics")
	}
	_, _ = fmt.Sscan(found[1], &n)
	return n
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	node := env.Start("debug-logging: true\n" + lifeConfig)
	testkit.Get(t, env.Addr("HTTP"), "/a?q=1")
	node.Stdout.Await(t, `127.0.0.1 localhost "GET /a?q=1 HTTP/1.1" 200`+"\n")
	testkit.Do(t, env.Addr("HTTP"), "POST /none HTTP/1.0\r\n\r\n")
	node.Stdout.Await(t, `127.0.0.1 - "POST /none HTTP/1.0" 404`+"\n")
}

package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// The weaknesses of the original (protocol §12.3) that one node shows. Those of clusters, of lattices and of presence are in the
// package cluster, each in a test of its own as here.

// startWeak starts chatConfig with metrics and further lines for the session pool main.
func startWeak(t *testing.T, pool string) *chat {
	t.Helper()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	c.node = env.Start(weakConfig(pool))
	c.node.AwaitAddr(env.Addr("API"))
	c.node.AwaitAddr(env.Addr("OLDAPI"))
	c.node.AwaitAddr(env.Addr("ADMIN"))
	return c
}

func weakConfig(pool string) string {
	return strings.Replace(chatConfig, "    max-payload-size: 100k\n", pool, 1) + "admin:\n  listen: [${ADMIN}]\n"
}

// reload writes another configuration and has it read. It takes force a moment later.
func (c *chat) reload(config string) {
	c.t.Helper()
	c.File("swindon.yaml", config)
	c.node.Signal(syscall.SIGHUP)
}

// awaitGauge waits until a metric without labels has this value.
func (c *chat) awaitGauge(name string, want float64) {
	c.t.Helper()
	series := regexp.MustCompile(`(?m)^` + name + ` (\S+)`)
	testkit.Eventually(c.t, fmt.Sprintf("%s is %v", name, want), func() bool {
		found := series.FindStringSubmatch(testkit.Get(c.t, c.Addr("ADMIN"), "/metrics", "Connection: close").Body)
		if found == nil {
			c.t.Fatalf("no metric %s", name)
		}
		value, err := strconv.ParseFloat(found[1], 64)
		return err == nil && value == want
	})
}

// nothingLeft waits until there are so many connections, and no subscription and no view.
func (c *chat) nothingLeft(connections int) {
	c.t.Helper()
	c.awaitGauge("swindon_gateway_connections", float64(connections))
	c.awaitGauge("swindon_gateway_topics", 0)
	c.awaitGauge("swindon_replica_views", 0)
}

// A client that disappears while it is being authorized: the backend's work is cancelled, and its user was never there.
func TestWeakness03LeavesWhileBeingAuthorized(t *testing.T) {
	t.Parallel()
	c := startWeak(t, "")
	watcher, watcherID := c.connect("watcher")
	c.accepted("PUT", "/v1/connection/"+watcherID+"/users", `["ann"]`)
	testkit.WantStatuses(t, watcher, "ann offline")
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	c.accepted("PUT", "/v1/connection/"+id+"/lattices/desk", `{}`)
	_ = ws.Close()
	auth.AwaitGone()
	c.nothingLeft(1)
	watcher.Silent()
	// It leaves at the moment of the answer, whichever comes first.
	for range 20 {
		ws, auth, id := c.open("/ws")
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
		go func() { _ = ws.Close() }()
		auth.JSON(`{"user_id":"bob"}`)
	}
	c.nothingLeft(1)
}

// A failed authorization leaves nothing of what was done to the connection meanwhile.
func TestWeakness04FailedAuthorizationLeaks(t *testing.T) {
	t.Parallel()
	c := startWeak(t, "")
	fail := func() {
		ws, auth, id := c.open("/ws")
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
		c.accepted("PUT", "/v1/connection/"+id+"/lattices/desk", `{}`)
		c.accepted("PUT", "/v1/connection/"+id+"/users", `["ann"]`)
		c.accepted("POST", "/v1/publish/room", `"buffered"`)
		auth.Reply(403, `null`, "Content-Type: application/json")
		ws.Shake()
		ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":403},null]`)
		ws.Closes(4403, "backend_error")
	}
	fail()
	c.nothingLeft(0)
	before := goroutines(t, c.Env)
	for range 20 {
		fail()
	}
	c.nothingLeft(0)
	c.awaitGauge("swindon_presence_followed_users", 0)
	testkit.Eventually(t, fmt.Sprintf("%d goroutines again", before), func() bool { return goroutines(t, c.Env) <= before })
}

// What waits for a client, for hello and for the backend is bounded, and a client that sends too much is read no further.
func TestWeakness19UnboundedQueues(t *testing.T) {
	t.Parallel()
	t.Run("outgoing", func(t *testing.T) {
		t.Parallel()
		c := startWeak(t, "    max-outgoing-bytes: 500k\n")
		_, id := c.connect("ann") // reads nothing
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
		body := `"` + strings.Repeat("x", 300_000) + `"`
		for range 100 { // the kernel takes some megabytes
			c.accepted("POST", "/v1/publish/room", body)
		}
		c.nothingLeft(0)
	})
	t.Run("pending", func(t *testing.T) {
		t.Parallel()
		c := startWeak(t, "    max-pending-bytes: 1k\n")
		ws, auth, id := c.open("/ws")
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
		for range 20 {
			c.accepted("POST", "/v1/publish/room", `"`+strings.Repeat("x", 100)+`"`)
		}
		auth.JSON(`{"user_id":"ann"}`)
		ws.Shake()
		ws.Closes(4013, "pending_buffer_full")
	})
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		c := startWeak(t, "    max-calls-in-flight: 1\n")
		ws, _ := c.connect("ann")
		for i := range 3 {
			ws.SendText(fmt.Sprintf(`["a",{"request_id":%d},[],{}]`, i))
		}
		for i := range 3 {
			call := c.backend.Next()
			c.backend.None() // the next one is not even read
			call.JSON(`1`)
			ws.Want(fmt.Sprintf(`["result",{"request_id":%d},1]`, i))
		}
	})
}

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A client that vanished without a word (a cut cable, a phone out of reach) is found by the pings and forgotten.
func TestHalfOpenClient(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    ping-interval: 100ms\n    ping-timeout: 300ms\n", "")
	link := c.Link("LINK", c.Addr("HTTP"))
	ws := testkit.Open(t, link.Addr(), "/ws")
	auth := c.backend.Next()
	id := connectionID(t, auth)
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	link.Cut()
	testkit.Eventually(t, "the connection is gone", func() bool {
		return c.api("PUT", "/v1/connection/"+id+"/subscriptions/a", "").Get("X-Swindon-Warning") == "connection-gone"
	})
	c.connect("bob")
}

// A backend that hangs: the call ends in time, the connection is not used again, the next call works.
func TestHalfOpenBackend(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "300ms")
	backend := env.Backend("REAL")
	link := env.Link("BACKEND", backend.Addr())
	c := &chat{Env: env, t: t, backend: backend, desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig)
	ws, _ := c.connect("ann")
	link.Cut()
	start := time.Now()
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":500},null]`)
	if took := time.Since(start); took < 270*time.Millisecond {
		t.Errorf("given up after %v", took)
	}
	link.Reset()
	link.Heal()
	for { // the call that was cut off may have reached the backend before the reset
		ws.SendText(`["b",{"request_id":2},[],{}]`)
		call := backend.Next()
		if call.Target == "/b" {
			call.JSON(`"back"`)
			break
		}
		call.Drop()
	}
	if got := ws.Text(); got != `["result",{"request_id":2},"back"]` {
		t.Errorf("the client got %s", got)
	}
}

// A backend whose connections are reset in the middle of a call.
func TestResetBackend(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	backend := env.Backend("REAL")
	link := env.Link("BACKEND", backend.Addr())
	c := &chat{Env: env, t: t, backend: backend, desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig)
	ws, _ := c.connect("ann")
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	call := backend.Next()
	link.Reset()
	call.Drop()
	ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":500},null]`)
	backend.None() // a call is not repeated
	ws.SendText(`["a",{"request_id":2},[],{}]`)
	backend.Next().JSON(`1`)
	ws.Want(`["result",{"request_id":2},1]`)
}

// A slow line to the backend is no error.
func TestSlowBackendLine(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	backend := env.Backend("REAL")
	link := env.Link("BACKEND", backend.Addr())
	c := &chat{Env: env, t: t, backend: backend, desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig)
	ws, _ := c.connect("ann")
	link.Delay(20 * time.Millisecond)
	link.Throttle(100_000)
	big := `"` + strings.Repeat("x", 20_000) + `"`
	ws.SendText(`["a",{"request_id":1},[` + big + `],{}]`)
	call := backend.Next()
	if !strings.Contains(call.Body, big) {
		t.Errorf("the backend got %d bytes", len(call.Body))
	}
	call.JSON(big)
	ws.Want(`["result",{"request_id":1},` + big + `]`)
}

// Names that try to be more than a name never reach another subject.
func TestNamesAreNoWildcards(t *testing.T) {
	t.Parallel()
	c := startNATS(t, natsConfig+embeddedNATS)
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/secret/room", "")
	for _, name := range []string{"*", ">", "secret/*", "secret/>", "secret.room", "secret%2Froom", "$SYS/x", "secret/room%00"} {
		wantEmpty(t, "publishing to "+name, c.api("POST", "/v1/publish/"+name, `1`, "Content-Type: application/json"), 404)
		wantEmpty(t, "subscribing to "+name, c.api("PUT", "/v1/connection/"+id+"/subscriptions/"+name, ""), 404)
	}
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	for _, subject := range []string{"sw.main.top.*", "sw.main.top.secret.>", "sw.main.top.secret=2Eroom", "sw.main.top.secret.room=", "sw.main.top.secret.=72oom"} {
		if err := nc.Publish(subject, []byte(`"no"`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(testkit.Patience); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"pizza.*", "pizza.>", "*", ">"} {
		ws.SendText(`["` + method + `",{"request_id":1},[],{}]`)
		ws.Want(`["error",{"request_id":1,"error_kind":"validation_error"},"invalid method"]`)
	}
	ws.Silent()
	c.accepted("POST", "/v1/publish/secret/room", `"yes"`)
	ws.Want(`["message",{"topic":"secret.room"},"yes"]`)
}

package integration

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/swindon-go/swindon/integration/testkit"
)

const natsConfig = `
listen: [${HTTP}]
admin:
  listen: [${ADMIN}]
routing:
  localhost/ws: chat
  localhost/fast: fast
  localhost/gif: gif
handlers:
  chat: !SwindonLattice
    session-pool: main
    message-handlers:
      "*": backend
      "pizza.*": pizza
  fast: !SwindonLattice
    session-pool: main
    message-handlers:
      "*": pizza
  gif: !EmptyGif
session-pools:
  main:
    listen: [${API}]
http-destinations:
  backend:
    addresses: [${BACKEND}]
    override-host-header: swindon.internal
nats-destinations:
  pizza:
    max-request-timeout: 300ms
    no-responders-timeout: 100ms
`

const embeddedNATS = "nats:\n  listen: [${NATS}]\n"

// service answers the pizza calls over NATS as a real one would: with the services framework, in the queue group q.
func service(t *testing.T, nc *nats.Conn, calls chan<- micro.Request) {
	t.Helper()
	s, err := micro.AddService(nc, micro.Config{Name: "pizza", Version: "1.0.0", QueueGroup: "q"})
	if err != nil {
		t.Fatal(err)
	}
	handler := micro.HandlerFunc(func(r micro.Request) { calls <- r })
	for name, subject := range map[string]string{"calls": "sw.main.rpc.pizza.>", "auth": "sw.main.auth.authorize_connection"} {
		if err := s.AddEndpoint(name, handler, micro.WithEndpointSubject(subject)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(testkit.Patience); err != nil {
		t.Fatal(err)
	}
}

func nextCall(t *testing.T, calls <-chan micro.Request) micro.Request {
	t.Helper()
	select {
	case r := <-calls:
		return r
	case <-time.After(testkit.Patience):
		t.Fatal("the service got no call")
		return nil
	}
}

func startNATS(t *testing.T, config string) *chat {
	t.Helper()
	env := testkit.New(t)
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND")}
	c.node = env.Start(config)
	c.node.AwaitAddr(env.Addr("API"))
	c.node.AwaitAddr(env.Addr("ADMIN"))
	c.awaitReady(200)
	return c
}

// awaitReady waits until /ready answers so.
func (c *chat) awaitReady(status int) {
	c.t.Helper()
	testkit.Eventually(c.t, "ready", func() bool { return testkit.Get(c.t, c.Addr("ADMIN"), "/ready").Status == status })
}

func TestNATSCall(t *testing.T) {
	t.Parallel()
	c := startNATS(t, natsConfig+embeddedNATS)
	ws, id := c.connect("ann")
	ws.SendText(`["pizza.order",{"request_id":1},[],{}]`) // nobody is there, for longer than it is waited
	ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":503},null]`)
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"))
	calls := make(chan micro.Request, 10)
	service(t, nc, calls)

	ws.SendText(`["pizza.order",{"request_id":2,"x":1},["quattro"],{"n":2}]`)
	call := nextCall(t, calls)
	if call.Subject() != "sw.main.rpc.pizza.order" || !testkit.SameJSON(t, string(call.Data()), `[{"connection_id":"`+id+`","request_id":2,"x":1},["quattro"],{"n":2}]`) {
		t.Errorf("the service got %s %s", call.Subject(), call.Data())
	}
	for header, want := range map[string]string{
		"Sw-Conn": id, "Sw-User": "ann", "Sw-Request-Id": id + "-2", "Sw-Auth": base64.StdEncoding.EncodeToString([]byte(`{"user_id":"ann"}`)),
	} {
		if got := call.Headers().Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	_ = call.Respond([]byte(`{"eta":20}`))
	ws.Want(`["result",{"request_id":2,"x":1},{"eta":20}]`)

	for name, test := range map[string]struct {
		answer func(micro.Request)
		meta   string
		data   string
	}{
		"conflict":  {func(r micro.Request) { _ = r.Error("409", "sold out", []byte(`"sold out"`)) }, `"error_kind":"http_error","http_error":409`, `"sold out"`},
		"odd-code":  {func(r micro.Request) { _ = r.Error("abc", "what", nil) }, `"error_kind":"http_error","http_error":500`, `null`},
		"no-json":   {func(r micro.Request) { _ = r.Respond([]byte(`[not a valid json`)) }, `"error_kind":"data_error"`, `"expected ident at line 1 column 3"`},
		"no-answer": {func(micro.Request) {}, `"error_kind":"http_error","http_error":500`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			ws.SendText(`["pizza.order",{"request_id":3},[],{}]`)
			test.answer(nextCall(t, calls))
			ws.Want(`["error",{"request_id":3,` + test.meta + `},` + test.data + `]`)
		})
	}
	t.Run("no-wildcards", func(t *testing.T) {
		for _, method := range []string{"pizza..x", "pizza.x.", "pizza." + strings.Repeat("x", 200), "pizza.a.b.c.d.e.f.g.h.i"} {
			ws.SendText(`["` + method + `",{"request_id":4},[],{}]`)
			ws.Want(`["error",{"request_id":4,"error_kind":"http_error","http_error":404},null]`)
		}
	})
	ws.Silent()
	if len(calls) > 0 {
		t.Errorf("%d more calls reached the service", len(calls))
	}
}

func TestNATSAuthorization(t *testing.T) {
	t.Parallel()
	c := startNATS(t, natsConfig+embeddedNATS)
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"))
	calls := make(chan micro.Request, 10)
	service(t, nc, calls)
	ws := testkit.Open(t, c.Addr("HTTP"), "/fast?a=b", "Cookie: x=y")
	call := nextCall(t, calls)
	var id string
	if _, rest, found := strings.Cut(string(call.Data()), `"connection_id":"`); found {
		id, _, _ = strings.Cut(rest, `"`)
	}
	if !testkit.SameJSON(t, string(call.Data()), `[{"connection_id":"`+id+`"},[],{"http_cookie":"x=y","http_authorization":null,"url_querystring":"a=b"}]`) {
		t.Errorf("the service got %s", call.Data())
	}
	_ = call.Respond([]byte(`{"user_id":"bob"}`))
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"bob"}]`)
	refused := testkit.Open(t, c.Addr("HTTP"), "/fast")
	_ = nextCall(t, calls).Error("403", "no", []byte(`{"why":"banned"}`))
	refused.Shake()
	refused.Want(`["fatal_error",{"error_kind":"http_error","http_error":403},{"why":"banned"}]`)
	refused.Closes(4403, "backend_error")
}

// Backends can publish over NATS, acknowledged or not; what is no JSON is dropped.
func TestNATSPublish(t *testing.T) {
	t.Parallel()
	c := startNATS(t, natsConfig+embeddedNATS)
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/rooms/a:b", "")
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"))
	if err := nc.Publish("sw.main.top.rooms.a=3Ab", []byte(`{"no": json`)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("sw.main.top.rooms.a=3Ab", []byte(`1`)); err != nil {
		t.Fatal(err)
	}
	ws.Want(`["message",{"topic":"rooms.a:b"},1]`)
	if r, err := nc.Request("sw.main.pub.rooms.a=3Ab", []byte(`2`), testkit.Patience); err != nil || r.Header.Get("Nats-Service-Error") != "" {
		t.Errorf("the acknowledged publish is answered %v, %v", r, err)
	}
	ws.Want(`["message",{"topic":"rooms.a:b"},2]`)
	if r, err := nc.Request("sw.main.pub.rooms.a=3Ab", []byte(`{`), testkit.Patience); err != nil || r.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a bad acknowledged publish is answered %v, %v", r, err)
	}
	ws.Silent()
}

// A backend may not listen to what is not its own, nor play the gateway.
func TestNATSPermissions(t *testing.T) {
	t.Parallel()
	c := startNATS(t, natsConfig+embeddedNATS)
	refused := make(chan error, 10)
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	for _, subject := range []string{">", "sw.>", "sw.main.rpc.>", "sw.main.top.>"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
				t.Errorf("subscribing to %s: %v", subject, err)
			}
		case <-time.After(testkit.Patience):
			t.Errorf("subscribing to %s is not refused", subject)
		}
	}
}

const externalNATS = "nats:\n  url: [\"nats://${NATS}\"]\n"

// nodePair is two nodes on one external NATS server. The second one's addresses are HTTP2, API2 and ADMIN2.
func nodePair(t *testing.T) (first, second *chat, server *testkit.NATS) {
	t.Helper()
	env := testkit.New(t)
	server = env.NATS("NATS")
	backend := env.Backend("BACKEND")
	first = &chat{Env: env, t: t, backend: backend}
	first.node = env.Start(natsConfig + externalNATS)
	other := testkit.New(t)
	other.Set("NATS", env.Addr("NATS"))
	other.Set("BACKEND", env.Addr("BACKEND"))
	second = &chat{Env: other, t: t, backend: backend}
	second.node = other.Start(natsConfig + externalNATS)
	for _, c := range []*chat{first, second} {
		c.node.AwaitAddr(c.Addr("API"))
		c.node.AwaitAddr(c.Addr("ADMIN"))
		c.awaitReady(200)
	}
	return first, second, server
}

// A subscribe sent to the wrong node and a publish sent to the right one at once after it (protocol §0.19).
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	first, second, _ := nodePair(t)
	ws, id := first.connect("ann")
	other, otherID := second.connect("bob")
	for i := range 20 {
		topic := strings.Repeat("t", i+1)
		second.accepted("PUT", "/v1/connection/"+id+"/subscriptions/"+topic, "")
		first.accepted("POST", "/v1/publish/"+topic, `1`)
		ws.Want(`["message",{"topic":"` + topic + `"},1]`)
	}
	t.Run("publish-anywhere", func(t *testing.T) {
		first.accepted("PUT", "/v1/connection/"+otherID+"/subscriptions/t", "")
		second.accepted("POST", "/v1/publish/t", `2`)
		ws.Want(`["message",{"topic":"t"},2]`)
		other.Want(`["message",{"topic":"t"},2]`)
		first.accepted("POST", "/v1/publish/t", `3`)
		ws.Want(`["message",{"topic":"t"},3]`)
		other.Want(`["message",{"topic":"t"},3]`)
	})
	t.Run("same-number-elsewhere", func(t *testing.T) {
		_, number, _ := cutLast(id)
		_, otherNumber, _ := cutLast(otherID)
		if number != otherNumber {
			t.Fatalf("the test needs equal numbers: %s, %s", id, otherID)
		}
		second.accepted("PUT", "/v1/connection/"+id+"/subscriptions/mine", "")
		second.accepted("POST", "/v1/publish/mine", `4`)
		ws.Want(`["message",{"topic":"mine"},4]`)
		other.Silent()
	})
	t.Run("unsubscribe-elsewhere", func(t *testing.T) {
		second.accepted("DELETE", "/v1/connection/"+id+"/subscriptions/mine", "")
		first.accepted("POST", "/v1/publish/mine", `5`)
		second.accepted("POST", "/v1/publish/mine", `6`)
		ws.Silent()
	})
	t.Run("pending-elsewhere", func(t *testing.T) {
		pending, auth, pendingID := first.open("/ws")
		second.accepted("PUT", "/v1/connection/"+pendingID+"/subscriptions/early", "")
		second.accepted("POST", "/v1/publish/early", `7`)
		pending.Silent()
		auth.JSON(`{"user_id":"ann"}`)
		pending.Shake()
		pending.Want(`["hello",{},{"user_id":"ann"}]`)
		pending.Want(`["message",{"topic":"early"},7]`)
	})
	t.Run("dead-node", func(t *testing.T) {
		first.node.Kill()
		testkit.Eventually(t, "the node is known to be gone", func() bool {
			r := second.api("PUT", "/v1/connection/"+id+"/subscriptions/t", "")
			if r.Status != 204 && r.Status != 503 {
				t.Errorf("a connection of a dead node is answered\n%s", r.Head)
			}
			return r.Status == 204 && r.Get("X-Swindon-Warning") == "connection-gone"
		})
		second.accepted("POST", "/v1/publish/t", `8`)
		other.Want(`["message",{"topic":"t"},8]`)
	})
}

func cutLast(id string) (before, after string, found bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return id, "", false
	}
	return id[:i], id[i+1:], true
}

// NATS goes away and comes back: what cannot be promised is refused, everything else goes on.
func TestNATSAwayAndBack(t *testing.T) {
	t.Parallel()
	first, second, server := nodePair(t)
	ws, id := first.connect("ann")
	first.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	server.Down()
	first.awaitReady(503)
	r := first.api("POST", "/v1/publish/room", `"refused"`, "Content-Type: application/json")
	if r.Status != 503 || r.Get("Retry-After") == "" || r.Body != "" {
		t.Errorf("without NATS a publish is answered\n%s%s", r.Head, r.Body)
	}
	if r := testkit.Get(t, first.Addr("HTTP"), "/gif"); r.Status != 200 {
		t.Errorf("without NATS a handler is answered\n%s", r.Head)
	}
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	first.backend.Next().JSON(`1`)
	ws.Want(`["result",{"request_id":1},1]`)
	ws.SendText(`["pizza.a",{"request_id":2},[],{}]`)
	ws.Want(`["error",{"request_id":2,"error_kind":"http_error","http_error":503},null]`)
	more, _ := first.connect("bob") // authorization goes over HTTP
	ws.Silent()
	server.Up()
	first.awaitReady(200)
	second.awaitReady(200)
	second.accepted("POST", "/v1/publish/room", `"back"`)
	ws.Want(`["message",{"topic":"room"},"back"]`)
	ws.Silent()
	more.Silent()
}

// A node starts although its NATS is not there (decision D44).
func TestNATSAwayAtStart(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	server := env.NATS("NATS")
	server.Down()
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND")}
	c.node = env.Start(natsConfig + externalNATS)
	c.node.AwaitAddr(env.Addr("API"))
	c.node.AwaitAddr(env.Addr("ADMIN"))
	c.awaitReady(503)
	ws, id := c.connect("ann")
	if r := c.api("POST", "/v1/publish/room", `1`, "Content-Type: application/json"); r.Status != 503 {
		t.Errorf("without NATS a publish is answered\n%s", r.Head)
	}
	server.Up()
	c.awaitReady(200)
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	c.accepted("POST", "/v1/publish/room", `2`)
	ws.Want(`["message",{"topic":"room"},2]`)
	ws.Silent()
}

package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// startLimited starts chatConfig with further keys for the session pool main and the handler chat.
func startLimited(t *testing.T, pool, handler string) *chat {
	t.Helper()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	config := strings.Replace(chatConfig, "    max-payload-size: 100k\n", pool, 1)
	config = strings.Replace(config, "  chat: !SwindonLattice\n    session-pool: main\n", "  chat: !SwindonLattice\n    session-pool: main\n"+handler, 1)
	c.node = env.Start(config)
	c.node.AwaitAddr(env.Addr("API"))
	return c
}

func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "", "    allowed-origins: [\"https://good.example\"]\n")
	offer := "Sec-WebSocket-Protocol: " + testkit.Subprotocol
	wantPage(t, testkit.Do(t, c.Addr("HTTP"), testkit.Handshake("/ws", offer, "Origin: https://bad.example")), "403 Forbidden")
	c.backend.None()
	ws, auth, _ := c.open("/ws", "Origin: https://good.example")
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
}

func TestForwardedFacts(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "", "    forward-headers: [X-Tenant, Accept-Language]\n    forward-remote-addr: true\n")
	_, auth, id := c.open("/ws", "X-Tenant: acme", "X-Other: no")
	var body [3]json.RawMessage
	if err := json.Unmarshal([]byte(auth.Body), &body); err != nil {
		t.Fatal(err)
	}
	var kwargs map[string]json.RawMessage
	if err := json.Unmarshal(body[2], &kwargs); err != nil {
		t.Fatal(err)
	}
	if !testkit.SameJSON(t, string(kwargs["http_headers"]), `{"X-Tenant":"acme","Accept-Language":null}`) {
		t.Errorf("http_headers of %s: %s", id, kwargs["http_headers"])
	}
	if got := string(kwargs["remote_addr"]); got != `"127.0.0.1"` {
		t.Errorf("remote_addr: %s", got)
	}
}

func TestConnectionsPerUser(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-connections-per-user: 2\n", "")
	first, _ := c.connect("ann")
	second, _ := c.connect("ann")
	other, _ := c.connect("bob")
	third, _ := c.connect("ann")
	first.Closes(4002, "replaced")
	for _, ws := range []*testkit.Websocket{second, other, third} {
		ws.Silent()
	}
}

func TestPendingLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-pending: 2\n", "")
	first, auth, _ := c.open("/ws")
	c.open("/ws")
	r := testkit.Do(t, c.Addr("HTTP"), testkit.Handshake("/ws", "Sec-WebSocket-Protocol: "+testkit.Subprotocol))
	wantPage(t, r, "503 Service Unavailable")
	if r.Get("Retry-After") == "" {
		t.Errorf("no Retry-After:\n%s", r.Head)
	}
	c.backend.None()
	auth.JSON(`{"user_id":"ann"}`)
	first.Shake()
	first.Want(`["hello",{},{"user_id":"ann"}]`)
	// The place becomes free a moment after hello.
	c.backend.Handle(func(r *testkit.Request) { r.JSON(`{"user_id":"bob"}`) })
	testkit.Eventually(t, "there is a place for the next", func() bool {
		return testkit.Do(t, c.Addr("HTTP"), testkit.Handshake("/ws", "Sec-WebSocket-Protocol: "+testkit.Subprotocol)).Status == 101
	})
}

func TestSubscriptionLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-subscriptions-per-connection: 2\n", "")
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/b", "")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "") // has it already
	wantEmpty(t, "the third topic", c.api("PUT", "/v1/connection/"+id+"/subscriptions/c", ""), 400)
	c.accepted("DELETE", "/v1/connection/"+id+"/subscriptions/a", "")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/c", "")
	c.accepted("POST", "/v1/publish/c", "1")
	ws.Want(`["message",{"topic":"c"},1]`)
}

func TestFrameSizeLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-frame-size: 1k\n", "")
	ws, _ := c.connect("ann")
	call := func(size int) string { return `["a",{"request_id":1},["` + strings.Repeat("x", size) + `"],{}]` }
	ws.SendText(call(900))
	c.backend.Next().JSON(`1`)
	ws.Want(`["result",{"request_id":1},1]`)
	ws.SendText(call(1100))
	ws.Closes(1009, "message too big")
	c.backend.None()
}

func TestPendingBufferLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-pending-bytes: 1k\n", "")
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	for range 20 {
		c.accepted("POST", "/v1/publish/a", `"`+strings.Repeat("x", 100)+`"`)
	}
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Closes(4013, "pending_buffer_full")
}

func TestPings(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    ping-interval: 100ms\n    ping-timeout: 300ms\n", "")
	ws, _ := c.connect("ann")
	for range 3 {
		opcode, payload := ws.Frame()
		if opcode != testkit.OpPing {
			t.Fatalf("got opcode %d, %q instead of a ping", opcode, payload)
		}
		ws.SendFrame(testkit.OpPong, payload)
	}
	for { // now it answers no more
		opcode, payload := ws.Frame()
		if opcode == testkit.OpPing {
			continue
		}
		if opcode != testkit.OpClose || !strings.HasPrefix(payload, "\x0f\xa8") { // 4008
			t.Fatalf("got opcode %d, %q instead of Close 4008", opcode, payload)
		}
		return
	}
}

// Too many calls in flight: reading pauses, nothing is lost, one finished call resumes it (decision D9).
func TestCallsInFlight(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-calls-in-flight: 2\n", "")
	ws, _ := c.connect("ann")
	for i := range 5 {
		ws.SendText(fmt.Sprintf(`["n%d",{"request_id":%d},[],{}]`, i, i))
	}
	waiting := []*testkit.Request{c.backend.Next(), c.backend.Next()}
	c.backend.None()
	done := make(map[string]bool)
	for range 5 {
		call := waiting[0]
		waiting = waiting[1:]
		done[call.Target] = true
		call.JSON(`"` + call.Target + `"`)
		if got := ws.Text(); !strings.HasSuffix(got, `"`+call.Target+`"]`) {
			t.Errorf("after the answer to %s the client got %s", call.Target, got)
		}
		if len(done)+len(waiting) < 5 {
			waiting = append(waiting, c.backend.Next())
		}
	}
	if len(done) != 5 {
		t.Errorf("answered %v", done)
	}
	ws.Silent()
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    api-tokens: [first, second]\n", "")
	_, id := c.connect("ann")
	path := "/v1/connection/" + id + "/subscriptions/a"
	for _, headers := range [][]string{nil, {"Authorization: Bearer wrong"}, {"Authorization: Basic first"}, {"Authorization: first"}, {"Authorization: Bearer "}} {
		wantEmpty(t, fmt.Sprint(headers), c.api("PUT", path, "", headers...), 401)
	}
	for _, token := range []string{"first", "second"} {
		if r := c.api("PUT", path, "", "Authorization: Bearer "+token); r.Status != 204 {
			t.Errorf("with %s: %s", token, r.Head)
		}
	}
}

func TestStrictAPI(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    strict-api: true\n", "")
	r := c.api("PUT", "/v1/connection/"+unknownConn+"/subscriptions/a", "")
	if r.Status != 404 || strings.TrimSpace(r.Body) != `{"error":"connection-gone"}` || r.Get("Content-Type") != "application/json" {
		t.Errorf("answered\n%s%s", r.Head, r.Body)
	}
}

// A client that does not read is closed; nobody else waits for it.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-outgoing-bytes: 100k\n", "")
	slow, slowID := c.connect("ann")
	quick, quickID := c.connect("bob")
	for _, id := range []string{slowID, quickID} {
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	}
	body := `"` + strings.Repeat("x", 50_000) + `"`
	// The kernel's buffers take some megabytes before anything waits in the program; then a closing connection waits a while for
	// its client to take what is queued.
	for range 600 {
		c.accepted("POST", "/v1/publish/a", body)
		quick.Want(`["message",{"topic":"a"},` + body + `]`)
	}
	testkit.Eventually(t, "the slow client is closed", func() bool {
		return c.api("PUT", "/v1/connection/"+slowID+"/subscriptions/b", "").Get("X-Swindon-Warning") == "connection-gone"
	})
	if opcode, _ := slow.Frame(); opcode != testkit.OpText {
		t.Errorf("the slow client's first frame has opcode %d", opcode)
	}
	c.accepted("POST", "/v1/publish/a", `"on"`)
	quick.Want(`["message",{"topic":"a"},"on"]`)
	quick.Silent()
}

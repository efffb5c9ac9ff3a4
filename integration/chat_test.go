package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// chatConfig is a gateway with two compatibility levels, and a fallback for plain requests.
const chatConfig = `
listen: [${HTTP}]
debug-routing: false
_VARS:
- &destination backend
routing:
  localhost/ws: chat
  localhost/old: old
  localhost/both: both
  localhost/echo: echo
handlers:
  chat: !SwindonLattice
    session-pool: main
    message-handlers:
      "*": *destination
      "desk.*": desk/inner/path
      "desk.exact": exact
      "desk.deep.*": deep/deep
      "slow.*": slow
      "tiny.*": tiny
  old: !SwindonLattice
    session-pool: old
    compatibility: v0.5.4
    message-handlers:
      "*": backend
  both: !SwindonLattice
    session-pool: main
    http-route: gif
    message-handlers:
      "*": backend
  gif: !EmptyGif
  echo: !WebsocketEcho
session-pools:
  main:
    listen: [${API}]
    max-payload-size: 100k
  old:
    listen: [${OLDAPI}]
http-destinations:
  backend: &common
    addresses: [${BACKEND}]
    override-host-header: swindon.internal
    request-id-header: X-Request-Id
    max-request-timeout: ${TIMEOUT}
  desk:
    addresses: [${DESK}]
    override-host-header: desk.internal
  exact:
    addresses: [${DESK}]
  deep:
    addresses: [${DESK}]
    override-host-header: deep.internal
  slow:
    addresses: [${BACKEND}]
    override-host-header: slow.internal
    max-request-timeout: 100ms
  tiny:
    addresses: [${BACKEND}]
    override-host-header: tiny.internal
    queue-size-for-503: 1
    backend-connections-per-ip-port: 1
    in-flight-requests-per-backend-connection: 1
`

// chat is a running gateway with its scripted backends.
type chat struct {
	*testkit.Env
	t             *testing.T
	backend, desk *testkit.Backend
	node          *testkit.Process
}

func startChat(t *testing.T) *chat {
	t.Helper()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig)
	c.node.AwaitAddr(env.Addr("API"))
	c.node.AwaitAddr(env.Addr("OLDAPI"))
	return c
}

// open sends a handshake and returns the authorization that the backend gets, and its connection id.
func (c *chat) open(target string, headers ...string) (*testkit.Websocket, *testkit.Request, string) {
	c.t.Helper()
	ws := testkit.Open(c.t, c.Addr("HTTP"), target, headers...)
	auth := c.backend.Next()
	if !strings.HasSuffix(auth.Target, "/authorize_connection") {
		c.t.Fatalf("the backend got\n%sinstead of an authorization", auth.Head)
	}
	return ws, auth, connectionID(c.t, auth)
}

// connect opens an authorized connection.
func (c *chat) connect(user string) (*testkit.Websocket, string) {
	c.t.Helper()
	ws, auth, id := c.open("/ws")
	hello := `{"user_id":"` + user + `"}`
	auth.JSON(hello)
	ws.Shake()
	ws.Want(`["hello",{},` + hello + `]`)
	return ws, id
}

// api calls the backend API of the session pool main.
func (c *chat) api(method, path, body string, headers ...string) *testkit.Response {
	c.t.Helper()
	return testkit.Do(c.t, c.Addr("API"), testkit.HTTP(method, path, body, headers...))
}

// accepted calls the backend API and wants a 204.
func (c *chat) accepted(method, path, body string) {
	c.t.Helper()
	var headers []string
	if body != "" {
		headers = append(headers, "Content-Type: application/json")
	}
	if r := c.api(method, path, body, headers...); r.Status != 204 || r.Body != "" {
		c.t.Fatalf("%s %s is answered\n%s%s", method, path, r.Head, r.Body)
	}
}

// connectionID reads the connection id out of the body of an authorization or call.
func connectionID(t *testing.T, r *testkit.Request) string {
	t.Helper()
	var body [3]json.RawMessage
	var meta struct {
		ConnectionID string `json:"connection_id"`
	}
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
		t.Fatalf("body %q: %v", r.Body, err)
	}
	if err := json.Unmarshal(body[0], &meta); err != nil || meta.ConnectionID == "" {
		t.Fatalf("metadata %s without a connection id: %v", body[0], err)
	}
	return meta.ConnectionID
}

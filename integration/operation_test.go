package integration

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Keys can come from the environment, above the file (decision D39).
func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	file := env.File("swindon.yaml", lifeConfig)
	node := env.LaunchWith([]string{
		"SWINDON__SERVER_NAME=from the environment", "SWINDON__LISTEN=[" + env.Addr("OTHER") + "]", "SWINDON_PORT_80_TCP=tcp://10.0.0.1",
		"SWINDON__NO_SUCH_KEY=1",
	}, testkit.Binary(t, "cmd/swindon"), "--verbose", "--config", file)
	node.Stdout.Await(t, "Listening at "+env.Addr("OTHER")+"\n")
	node.AwaitAddr(env.Addr("OTHER"))
	if r := testkit.Get(t, env.Addr("OTHER"), "/a"); r.Status != 200 || r.Get("Server") != "from the environment" {
		t.Errorf("answered\n%s", r.Head)
	}
	node.Stderr.Await(t, "NO_SUCH_KEY")
}

func TestJSONLogs(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	node := env.Start("log-format: json\n" + lifeConfig)
	node.Stderr.Await(t, "Started with server_id ")
	for _, line := range node.Stderr.Lines() {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("%q is no JSON: %v", line, err)
		}
	}
}

// A failed call says in the log whom it asked (decision D43).
func TestFailedCallIsLogged(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	ws.SendText(`["a",{"request_id":"r1"},[],{}]`)
	c.backend.Next().Drop()
	ws.Want(`["error",{"request_id":"r1","error_kind":"http_error","http_error":500},null]`)
	c.node.Stderr.Await(t, "request_id=r1")
	for _, want := range []string{"destination=backend", "backend=" + c.Addr("BACKEND"), "status=500", "conn=" + id, "user=ann"} {
		if !strings.Contains(c.node.Stderr.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}
}

const queueConfig = `
listen: [${HTTP}]
routing:
  localhost/dead: dead
  localhost/stream: stream
  localhost/small: small
handlers:
  dead: !Proxy {destination: dead}
  stream: !Proxy {destination: backend, stream-requests: true}
  small: !Proxy {destination: backend, response-buffer-size: 64k}
http-destinations:
  dead:
    addresses: [${NOBODY}]
    queue-timeout: 300ms
  backend:
    addresses: [${BACKEND}]
`

func TestQueueTimeout(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Backend("BACKEND")
	env.Start(queueConfig)
	start := time.Now()
	r := testkit.Get(t, env.Addr("HTTP"), "/dead")
	wantPage(t, r, "503 Service Unavailable")
	if r.Get("Retry-After") == "" {
		t.Errorf("no Retry-After:\n%s", r.Head)
	}
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("refused after %v", took)
	}
}

// Bytes of a response pass on as they come.
func TestStreamedResponse(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(queueConfig)
	client := send(t, env, testkit.HTTP("GET", "/small", ""))
	conn := backend.Next().Tunnel("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
	head := client.ResponseHead()
	if head.Status != 200 || head.Get("Content-Length") != "10" {
		t.Errorf("the head is\n%s", head.Head)
	}
	client.WantRaw("first")
	client.Silent()
	conn.Send("after")
	client.WantRaw("after")
	_ = conn.Close() // the backend reads no requests from it any more
	// And a response larger than any buffer.
	big := strings.Repeat("0123456789", 2<<20)
	client.Send(testkit.HTTP("GET", "/small", ""))
	backend.Next().Reply(200, big)
	if r := client.Response("GET"); r.Body != big {
		t.Errorf("%d of %d bytes came", len(r.Body), len(big))
	}
}

// With stream-requests the backend gets the body while it comes in.
func TestStreamedRequest(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(queueConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	body := strings.Repeat("x", 1<<20)
	client.Send(testkit.HTTP("POST", "/stream", body))
	got := backend.Next()
	if got.Body != body {
		t.Errorf("the backend got %d of %d bytes", len(got.Body), len(body))
	}
	got.Reply(200, "fine")
	if r := client.Response("POST"); r.Body != "fine" {
		t.Errorf("answered\n%s", r.Head)
	}
}

// A client that asks first whether it may send its body is told so.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	backend := env.Backend("BACKEND")
	env.Start(queueConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	client.Send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
	if r := client.Response("POST"); r.Status != 100 {
		t.Fatalf("answered\n%s", r.Head)
	}
	client.Send("body")
	got := backend.Next()
	if got.Body != "body" || got.Has("Expect") {
		t.Errorf("the backend got\n%s%s", got.Head, got.Body)
	}
	got.Reply(200, "fine")
	if r := client.Response("POST"); r.Status != 200 || r.Body != "fine" {
		t.Errorf("answered\n%s", r.Head)
	}
}

// More clients than max-connections wait in the kernel; one that leaves makes room (decision D37).
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	node := env.Start("max-connections: 2\n" + lifeConfig)
	first, second := testkit.Dial(t, env.Addr("HTTP")), testkit.Dial(t, env.Addr("HTTP"))
	for _, client := range []*testkit.Client{first, second} {
		client.Send(testkit.HTTP("GET", "/a", ""))
		client.Response("GET")
	}
	third := testkit.Dial(t, env.Addr("HTTP"))
	third.Send(testkit.HTTP("GET", "/a", ""))
	third.Silent()
	node.Stderr.Await(t, "Connection limit is reached")
	_ = first.Close()
	if r := third.Response("GET"); r.Status != 200 {
		t.Errorf("answered\n%s", r.Head)
	}
}

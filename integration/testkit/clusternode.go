package testkit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// clusterConfig is one node. Idle times are short, graces long; the lines of ClusterOptions.Pool come before and win nothing twice.
const clusterConfig = `
listen: [${HTTP}]
admin:
  listen: [${ADMIN}]
max-connections: 100k
routing:
  localhost/ws: chat
  localhost/gif: gif
handlers:
  chat: !SwindonLattice
    session-pool: main
    message-handlers:
      "*": backend
  gif: !EmptyGif
session-pools:
  main:
    listen: [${API}]
    inactivity-handlers: [backend]
    max-connections: 10k
${POOL}
http-destinations:
  backend:
    addresses: [${BACKEND}]
    override-host-header: swindon.internal
    request-id-header: X-Request-Id
${MORE}
${NATSSECTION}
`

// Node is one built swindon of a cluster. It keeps its addresses and configuration over Kill, Stop and Start. ${NAME}s of its own
// configuration are those of its Env: HTTP, API, ADMIN, NATS (for backends; embedded and mesh only).
type Node struct {
	*Env
	*Process
	Name  string
	Index int

	c    *Cluster
	file string
	http *http.Client
}

// Answer is what an API call was answered.
type Answer struct {
	StatusCode int
	Header     http.Header
	Body       string
}

func (c *Cluster) newNode(i int) *Node {
	env := New(c.T)
	env.Set("BACKEND", c.Addr("BACKEND"))
	n := &Node{Env: env, Name: strconv.Itoa(i), Index: i, c: c}
	n.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: Patience}
	c.T.Cleanup(n.http.CloseIdleConnections)
	for _, name := range []string{"HTTP", "API", "ADMIN", "REPL", "NATS"} {
		env.Addr(name)
	}
	return n
}

func (n *Node) configure(o ClusterOptions) {
	var section string
	links := n.c.Links[n.Index]
	var urls []string
	for _, l := range links {
		if l != nil {
			urls = append(urls, l.Addr())
		}
	}
	switch n.c.Mode {
	case Embedded:
		section = fmt.Sprintf("nats:\n  listen: [%s]\n  store-dir: %q\n", n.Addr("NATS"), n.Dir+"/store")
	case Mesh:
		section = fmt.Sprintf("nats:\n  listen: [%s]\nreplication:\n  listen: [%s]\n  peers: [%s]\n  token: secret\n",
			n.Addr("NATS"), n.Addr("REPL"), strings.Join(urls, ", "))
	case Single, Three:
		section = fmt.Sprintf("nats:\n  url: [\"nats://%s\"]\n", strings.Join(urls, `", "nats://`))
		if n.c.Mode == Three {
			section += "  replicas: 3\n"
		}
	}
	n.Set("POOL", o.Pool)
	n.Set("MORE", o.More)
	n.Set("NATSSECTION", section)
	n.file = n.File("swindon.yaml", clusterConfig)
}

// Start starts the node and waits until it listens; AwaitReady waits for more. It may be called again after Kill or Stop.
func (n *Node) Start() {
	n.T.Helper()
	n.c.Logf("node %s starts", n.Name)
	n.Process = n.Launch(Binary(n.T, "cmd/swindon"), "--verbose", "--config", n.file)
	n.AwaitAddr(n.Addr("ADMIN"))
}

// Kill ends the node without warning.
func (n *Node) Kill() {
	n.T.Helper()
	n.c.Logf("node %s is killed", n.Name)
	n.Process.Kill()
	n.http.CloseIdleConnections()
}

// AwaitReady waits until /ready answers so.
func (n *Node) AwaitReady(status int) {
	n.T.Helper()
	n.AwaitAddr(n.Addr("ADMIN"))
	Eventually(n.T, fmt.Sprintf("/ready of node %s is %d", n.Name, status), func() bool {
		return Get(n.T, n.Addr("ADMIN"), "/ready").Status == status
	})
	if status == http.StatusOK {
		n.AwaitAddr(n.Addr("API"))
		n.AwaitAddr(n.Addr("HTTP"))
	}
}

// API calls the backend API. It may be used from any goroutine.
func (n *Node) API(ctx context.Context, method, path, body string, headers ...string) (*Answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.Addr("API")+path, reader)
	if err != nil {
		return nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := n.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return &Answer{response.StatusCode, response.Header, string(text)}, err
}

// Call is API for the test's goroutine: a request that gets no answer at all fails the test.
func (n *Node) Call(method, path, body string, headers ...string) *Answer {
	n.T.Helper()
	a, err := n.API(context.Background(), method, path, body, headers...)
	if err != nil {
		n.T.Fatalf("node %s: %s %s: %v", n.Name, method, path, err)
	}
	return a
}

// Accepted calls the backend API and wants a 204 without a warning.
func (n *Node) Accepted(method, path, body string) {
	n.T.Helper()
	if a := n.Call(method, path, body); a.StatusCode != http.StatusNoContent || a.Header.Get("X-Swindon-Warning") != "" {
		n.T.Fatalf("node %s: %s %s %s is answered %d %v %s", n.Name, method, path, body, a.StatusCode, a.Header, a.Body)
	}
}

// Insist repeats a call until it is accepted, as backends do with a 503, at most for the given time. It may be used from any goroutine.
func (n *Node) Insist(patience time.Duration, method, path, body string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		a, err := n.API(ctx, method, path, body)
		switch {
		case err == nil && a.StatusCode == http.StatusNoContent:
			return nil
		case err == nil && a.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("node %s: %s %s is answered %d %s", n.Name, method, path, a.StatusCode, a.Body)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node %s: %s %s is not accepted within %v: %w", n.Name, method, path, patience, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Metric adds up the values of all series of a metric whose labels contain the text; -1 when there is none.
func (n *Node) Metric(name, labels string) float64 {
	n.T.Helper()
	sum, found := 0.0, false
	for line := range strings.Lines(Get(n.T, n.Addr("ADMIN"), "/metrics").Body) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		base, set, _ := strings.Cut(series, "{")
		if !ok || base != name || !strings.Contains(set, labels) {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum, found = sum+v, true
		}
	}
	if !found {
		return -1
	}
	return sum
}

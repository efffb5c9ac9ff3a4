package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// audience is a visitor on each node, attached and subscribed.
func audience(t *testing.T, c *testkit.Cluster) []*testkit.Visitor {
	t.Helper()
	var all []*testkit.Visitor
	for i, n := range c.Nodes {
		user := fmt.Sprintf("u%d", i)
		v := c.Visit(n, user)
		attach(n, v, desk, `{"private":{"`+user+`":{"q":{}}},"shared":{"q":{"x_counter":1}}}`)
		n.Accepted("PUT", "/v1/connection/"+v.ID+"/subscriptions/room", "")
		awaitView(t, v, desk, `{"q":{"x_counter":1}}`)
		all = append(all, v)
	}
	return all
}

// refused checks that a call is answered 503 with Retry-After, in bounded time.
func refused(t *testing.T, n *testkit.Node, method, path, body string) {
	t.Helper()
	begin := time.Now()
	a, err := n.API(context.Background(), method, path, body)
	if err != nil || a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || a.Body != "" {
		t.Errorf("node %s: %s %s is answered %+v, %v; want 503 with Retry-After", n.Name, method, path, a, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("node %s: %s %s took %v to refuse", n.Name, method, path, took)
	}
}

// goesOn checks what needs no NATS: the websocket is open, a call over HTTP is answered, a new client gets in, a file is served.
func goesOn(t *testing.T, c *testkit.Cluster, v *testkit.Visitor) {
	t.Helper()
	id := fmt.Sprint(time.Now().UnixNano() % 1e9)
	if err := v.Send(`["work",{"request_id":` + id + `},[],{}]`); err != nil {
		t.Fatalf("%s: %v", v.User, err)
	}
	if _, err := v.Await(testkit.Patience, func(e testkit.Event) bool {
		return e.Kind == "result" && strings.Contains(string(e.Meta), id)
	}); err != nil {
		t.Error(err)
	}
	if r := testkit.Get(t, v.Node.Addr("HTTP"), "/gif"); r.Status != 200 {
		t.Errorf("a handler is answered\n%s", r.Head)
	}
	c.Visit(v.Node, "late-"+id)
}

// reached waits until every node is back on some NATS server: what is announced without a number is lost to those that are not.
func reached(t *testing.T, c *testkit.Cluster, all []*testkit.Visitor) {
	t.Helper()
	for i, n := range c.Nodes {
		sent := 0
		testkit.Eventually(t, "messages through node "+n.Name+" reach everybody", func() bool {
			sent++
			text := fmt.Sprintf(`"probe %d.%d"`, i, sent)
			if err := n.Insist(testkit.Patience, "POST", "/v1/publish/room", text); err != nil {
				t.Fatal(err)
			}
			for _, v := range all {
				if _, err := v.Await(500*time.Millisecond, func(e testkit.Event) bool { return string(e.Data) == text }); err != nil {
					return false
				}
			}
			return true
		})
	}
}

// converges checks that after the trouble everything is promised again and everybody has the same.
func converges(t *testing.T, c *testkit.Cluster, all []*testkit.Visitor, value int) {
	t.Helper()
	for _, n := range c.Nodes {
		n.AwaitReady(200)
	}
	for _, n := range c.Nodes {
		value++
		if err := n.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", fmt.Sprintf(`{"shared":{"q":{"x_counter":%d}}}`, value)); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range all {
		awaitView(t, v, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
		if !v.Open() {
			t.Errorf("the websocket of %s was closed with %d", v.User, v.Code())
		}
		text := fmt.Sprintf(`"through %d"`, i)
		if err := c.Nodes[i].Insist(testkit.Patience, "POST", "/v1/publish/room", text); err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			if _, err := w.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "message" && string(e.Data) == text }); err != nil {
				t.Error(err)
			}
		}
		again := c.Visit(c.Nodes[(i+1)%len(c.Nodes)], v.User)
		attach(c.Nodes[i], again, desk, `{}`)
		awaitView(t, again, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
	}
}

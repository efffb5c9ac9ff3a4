package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestIntake sends a node what other nodes and backends may send, good and bad.
func TestIntake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outside, nd, c := subscribed(t)
		send := func(subject string, from names.NodeID, data string) {
			t.Helper()
			m := port.Message{Subject: subject, Data: []byte(data)}
			switch {
			case from == nd.id:
				m.Reply = "sw.main.from." + string(from)
			case from != "":
				m.Header = port.Header{port.HeaderNode: {string(from)}}
			}
			if err := outside.Publish(m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		// What a node has published itself it has delivered already.
		send("sw.main.top.t", nd.id, "1")
		if e := c.next(); e != "" {
			t.Errorf("a node's own message came back: %s", e)
		}
		send("sw.main.top.t", nodeID(2), "2")
		if e := c.next(); e != `["message",{"topic":"t"},2]` {
			t.Errorf("another node's message: %q", e)
		}

		ask := func(subject string) string {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			reply, err := outside.Request(ctx, port.LaneOrdered, port.Message{Subject: subject})
			if err != nil {
				t.Fatalf("%s: %v", subject, err)
			}
			return reply.Header.Get(port.HeaderErrorCode)
		}
		if code := ask("sw.main.node." + string(nd.id) + ".ping"); code != "" {
			t.Errorf("ping is answered with %s", code)
		}
		if code := ask("sw.main.node." + string(nd.id) + ".dance"); code != "400" {
			t.Errorf("an unknown operation is answered with %q", code)
		}

		// Whose life is not told in order is not believed: a connection of node 3 stays gone, not unreachable.
		id3 := names.ConnID{Node: nodeID(3), N: 1}
		send("sw.main.nodes.beat", "", `{"seq":1}`)
		send("sw.main.nodes.beat", nodeID(3), `{"seq":`)
		send("sw.main.nodes.beat", "short", `{"seq":1}`)
		if err := nd.pool.Subscribe(t.Context(), id3, "t"); !errors.Is(err, port.ErrGone) {
			t.Errorf("node 3 was never heard of: %v", err)
		}
		send("sw.main.nodes.beat", nodeID(3), `{"seq":1}`)
		if err := nd.pool.Subscribe(t.Context(), id3, "t"); !errors.Is(err, port.ErrTimeout) {
			t.Errorf("node 3 lives and does not answer: %v", err)
		}
		send("sw.main.nodes.beat", nodeID(3), `{"leaving":true}`)
		if err := nd.pool.Subscribe(t.Context(), id3, "t"); !errors.Is(err, port.ErrGone) {
			t.Errorf("node 3 has left: %v", err)
		}
	})
}

// TestIntakeOrder: messages that are delivered at once and those that are not stay in order.
func TestIntakeOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outside, _, c := subscribed(t)
		large := strings.Repeat("x", 5000)
		var want []string
		for i := range 20 {
			text := strconv.Itoa(i)
			if i%3 == 1 {
				text = `"` + large + text + `"`
			}
			for _, m := range []port.Message{
				{Subject: "sw.main.top.t", Data: []byte(text)},
				{Subject: "sw.main.top.nobody", Data: []byte(text)},
				{Subject: "sw.main.top.t", Data: []byte(`{"broken":`)},
			} {
				if err := outside.Publish(m); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, `["message",{"topic":"t"},`+text+`]`)
		}
		synctest.Wait()
		for i, w := range want {
			if e := c.next(); e != w {
				t.Fatalf("message %d: %.80q, want %.80q", i, e, w)
			}
		}
		if e := c.next(); e != "" {
			t.Errorf("one more: %.80q", e)
		}
	})
}

// subscribed starts a node with a client that has had its hello and is subscribed to the topic t, and somebody else on the
// same network. It is called in a bubble.
func subscribed(t *testing.T) (outside *memory.Bus, nd *node, c *client) {
	t.Helper()
	network := memory.NewNetwork(0)
	outside = network.Join()
	d := instant{http.Header{"Content-Type": {"application/json"}}}
	nd = startNodeWith(t, 1, newSetup(t), network, func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: d}, true
	})
	c = open(t, nd.listener, "/ws", nil)
	synctest.Wait()
	c.next()
	c.next()
	if err := nd.pool.Subscribe(t.Context(), names.ConnID{Node: nd.id}, "t"); err != nil {
		t.Fatal(err)
	}
	return outside, nd, c
}

package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/testkit"
)

// backendNATS is where a backend connects that has nothing to do with the first node: to the last node's own server, or to the last
// external one.
func backendNATS(t *testing.T, c *testkit.Cluster) *nats.Conn {
	t.Helper()
	if len(c.NATS) > 0 {
		return testkit.Connect(t, c.NATS[len(c.NATS)-1].URL())
	}
	return testkit.Connect(t, "nats://"+c.Nodes[len(c.Nodes)-1].Addr("NATS"))
}

// command sends a command for a connection over NATS and wants it done.
func command(t *testing.T, nc *nats.Conn, v *testkit.Visitor, op, body string) {
	t.Helper()
	i := strings.LastIndexByte(v.ID, '-')
	r, err := nc.Request("sw.main.conn."+v.ID[:i]+"."+v.ID[i+1:]+"."+op, []byte(body), testkit.Patience)
	if err != nil || r.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%s %s is answered %+v, %v", op, body, r, err)
	}
}

// A command for a connection that a backend sends over NATS has been applied by the owner when it is answered: the very next message
// arrives, or does not any more.
func TestCommandsOverNATS(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		v, bystander := c.Visit(c.Nodes[0], "ann"), c.Visit(c.Nodes[len(c.Nodes)-1], "bob")
		nc := backendNATS(t, c)
		const rounds = 200
		for i := range rounds {
			command(t, nc, v, "sub", fmt.Sprintf("rooms.t%d", i))
			if err := nc.Publish(fmt.Sprintf("sw.main.top.rooms.t%d", i), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			command(t, nc, v, "unsub", fmt.Sprintf("rooms.t%d", i))
			if err := nc.Publish(fmt.Sprintf("sw.main.top.rooms.t%d", i), []byte(`"late"`)); err != nil {
				t.Fatal(err)
			}
		}
		command(t, nc, v, "sub", "last")
		if _, err := nc.Request("sw.main.pub.last", []byte(`"last"`), testkit.Patience); err != nil {
			t.Fatal(err)
		}
		got := messages(t, v, rounds+1)
		for i := range rounds {
			if m := got[fmt.Sprintf("rooms.t%d", i)]; len(m) != 1 || m[0] != fmt.Sprint(i) {
				t.Errorf("of topic %d came %v", i, m)
			}
		}
		if bystander.Count() != 1 {
			t.Errorf("the other connection got %v", bystander.Events()[1:])
		}
		command(t, nc, v, "kick", "")
		<-v.Ended()
		if v.Code() != 4002 {
			t.Errorf("kicked with %d", v.Code())
		}
	})
}

// All that a backend can have done to a connection over HTTP it can have done over NATS, and update lattices, from anywhere.
func TestLatticeAndPresenceOverNATS(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		v, bystander := c.Visit(c.Nodes[0], "ann"), c.Visit(c.Nodes[len(c.Nodes)-1], "bob")
		nc := backendNATS(t, c)
		post := func(body, code string) {
			t.Helper()
			r, err := nc.Request("sw.main.api.lattice.desk=2Equeues", []byte(body), testkit.Patience)
			if err != nil || r.Header.Get("Nats-Service-Error-Code") != code {
				t.Fatalf("the update %s is answered %+v, %v; want code %q", body, r, err, code)
			}
		}
		post(`{"private":{"ann":{"q":{}}},"shared":{"q":{"x_counter":1}}}`, "")
		command(t, nc, v, "lat", "desk.queues")
		v.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{"x_counter":1}}]`)
		post(`{"shared":{"q":{"x_counter":2}}}`, "")
		v.Want(2, `["lattice",{"namespace":"desk.queues"},{"q":{"x_counter":2}}]`)
		post(`{"shared":{"q":{"x_counter":-1}}}`, "400")
		post(`{"shared":`, "400")
		command(t, nc, v, "users", `["bob","nobody"]`)
		awaitStatus(t, v, "bob", "active", testkit.Patience)
		awaitStatus(t, v, "nobody", "offline", testkit.Patience)
		command(t, nc, v, "info", "")
		command(t, nc, v, "unusers", "")
		command(t, nc, v, "unlat", "desk.queues")
		seen := v.Count()
		post(`{"shared":{"q":{"x_counter":3}}}`, "")
		c.Visit(c.Nodes[0], "nobody")
		time.Sleep(testkit.Quiet)
		if v.Count() != seen || bystander.Count() != 1 {
			t.Errorf("after the end came %v, and to the other connection %v", v.Events()[seen:], bystander.Events()[1:])
		}
	})
}

// A command for a user reaches all of their connections, on every node.
func TestKickUserOverNATS(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		var all []*testkit.Visitor
		for _, n := range c.Nodes {
			all = append(all, c.Visit(n, "ann"), c.Visit(n, "ann"))
		}
		stays := c.Visit(c.Nodes[0], "bob")
		if _, err := backendNATS(t, c).Request("sw.main.user.ann.kick", nil, testkit.Patience); err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			select {
			case <-v.Ended():
			case <-time.After(testkit.Patience):
				t.Fatalf("a connection on node %s lives on", v.Node.Name)
			}
			if v.Code() != 4002 {
				t.Errorf("a connection on node %s was closed with %d", v.Node.Name, v.Code())
			}
		}
		if !stays.Open() || stays.Count() != 1 {
			t.Errorf("another user's connection got %v", stays.Events()[1:])
		}
	})
}

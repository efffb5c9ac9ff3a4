package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

func join(parts []string) string { return strings.Join(parts, ",") }

// What is written while a link is down is there on both sides when it is up again, and a node that comes new has everything. In the
// original it was lost for good.
func TestWeakness01LostWhileLinkIsDown(t *testing.T) {
	t.Parallel()
	overModes(t, several, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		first, second := c.Nodes[0], c.Nodes[1]
		ann, bob := c.Visit(first, "ann"), c.Visit(second, "bob")
		attach(first, ann, desk, `{"private":{"ann":{"q":{}},"bob":{"q":{}}}}`)
		attach(second, bob, desk, `{}`)
		watch(first, ann, "cid", "dan")
		c.Isolate(0)
		for i := range 50 {
			if err := second.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", fmt.Sprintf(`{"shared":{"q":{"x%d_counter":%d}}}`, i%10, i)); err != nil {
				t.Fatal(err)
			}
		}
		c.Visit(second, "cid")
		if c.Mode == testkit.Mesh { // the other side goes on, too
			if err := first.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"y_counter":7}}}`); err != nil {
				t.Fatal(err)
			}
		} else if a := first.Call("POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"y_counter":7}}}`); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("without its NATS a node answers an update with %d %v", a.StatusCode, a.Header)
		}
		c.Rejoin(0)
		if err := first.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"y_counter":7}}}`); err != nil {
			t.Fatal(err)
		}
		var vars []string
		for i := range 10 {
			vars = append(vars, fmt.Sprintf(`"x%d_counter":%d`, i, 40+i))
		}
		want := `{"q":{` + join(vars) + `,"y_counter":7}}`
		awaitView(t, ann, desk, want)
		awaitView(t, bob, desk, want)
		awaitStatus(t, ann, "cid", "active", testkit.Patience)
		for _, v := range []*testkit.Visitor{ann, bob} {
			if !v.Open() {
				t.Errorf("the websocket of %s was closed with %d", v.User, v.Code())
			}
		}
		// A node that comes new.
		first.Kill()
		first.Start()
		first.AwaitReady(200)
		again := c.Visit(first, "ann")
		attach(first, again, desk, `{}`)
		again.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
	})
}

// Private data that is written for a user whose authorization is under way stays, and goes on staying while the user is there.
func TestWeakness05PrivateDataBeforeAssociation(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    private-grace: 2s\n    shared-grace: 2s\n"}, func(t *testing.T, c *testkit.Cluster) {
		release := c.Backend.Hold()
		defer release()
		ann, await := c.Pending(c.Nodes[0], "ann")
		through := other(c, c.Nodes[0])
		attach(through, ann, desk, `{"private":{"ann":{"q":{"read_counter":1}}},"shared":{"q":{"size_counter":2}}}`)
		update(through, desk, `{"private":{"ann":{"r":{"read_counter":3}}}}`)
		time.Sleep(time.Second) // less than the grace
		release()
		if err := await(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ann.Leave)
		const want = `{"q":{"size_counter":2,"read_counter":1},"r":{"read_counter":3}}`
		ann.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
		time.Sleep(5 * time.Second) // more than the grace, and than any sweep
		again := c.Visit(through, "ann")
		attach(through, again, desk, `{}`)
		again.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
	})
}

// Nobody gets a key that is not theirs to see, on any node, whatever else the same update holds.
func TestWeakness07KeysOfOthers(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		var visitors []*testkit.Visitor
		for i, n := range c.Nodes {
			for _, user := range []string{"ann", "bob"} {
				v := c.Visit(n, user)
				attach(c.Nodes[(i+1)%len(c.Nodes)], v, desk, `{"private":{"ann":{"a":{}},"bob":{"b":{}}}}`)
				visitors = append(visitors, v)
			}
		}
		for i, n := range c.Nodes {
			update(n, desk, fmt.Sprintf(`{"shared":{"a":{"x_counter":%[1]d},"b":{"x_counter":%[1]d},"secret":{"x_counter":%[1]d}}}`, 10+i))
			update(n, desk, fmt.Sprintf(`{"shared":{"secret":{"x_counter":%d}},"private":{"zed":{"secret":{"y_counter":1}}}}`, 100+i))
			update(n, desk, fmt.Sprintf(`{"shared":{"a":{"y_counter":%[1]d},"secret":{"y_counter":%[1]d}},"private":{"bob":{"b":{"p_counter":%[1]d}}}}`, 10+i))
		}
		last := 10 + len(c.Nodes) - 1
		for _, v := range visitors {
			want := fmt.Sprintf(`{"a":{"x_counter":%[1]d,"y_counter":%[1]d}}`, last)
			if v.User == "bob" {
				want = fmt.Sprintf(`{"b":{"x_counter":%[1]d,"p_counter":%[1]d}}`, last)
			}
			staysView(t, v, desk, want)
		}
	})
}

// An update that is sent again, to the same node or others, changes nothing and is told nobody.
func TestWeakness10RetriedUpdates(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		ann := c.Visit(c.Nodes[0], "ann")
		attach(c.Nodes[0], ann, desk, `{"private":{"ann":{"q":{}}}}`)
		const delta = `{"shared":{"q":{"x_counter":5,"t_set":["a","b"],"r_register":[3,{"y":1}]}}}`
		for range 3 {
			for _, n := range c.Nodes {
				update(n, desk, delta)
			}
		}
		update(c.Nodes[0], desk, `{"shared":{"q":{"x_counter":6}}}`)
		ann.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{}}]`)
		ann.Want(2, `["lattice",{"namespace":"desk.queues"},{"q":{"x_counter":5,"t_set":["a","b"],"r_register":[3,{"y":1}]}}]`)
		ann.Want(3, `["lattice",{"namespace":"desk.queues"},{"q":{"x_counter":6}}]`)
		time.Sleep(testkit.Quiet)
		if ann.Count() != 4 {
			t.Errorf("more than was new came: %v", ann.Events()[4:])
		}
	})
}

// When a user has left for the grace, the private data goes, also when the session was active as the last connection went; then lower
// values count as new.
func TestWeakness16LeftBehindAtDisconnect(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    private-grace: 1s\n    shared-grace: 10m\n"}, func(t *testing.T, c *testkit.Cluster) {
		last := other(c, c.Nodes[0])
		ann, second := c.Visit(c.Nodes[0], "ann"), c.Visit(last, "ann")
		attach(last, ann, desk, `{"private":{"ann":{"q":{"read_counter":100}}}}`)
		attach(last, second, desk, `{}`)
		second.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{"read_counter":100}}]`)
		ann.Leave()
		time.Sleep(3 * time.Second)
		// One device is still there: nothing goes.
		third := c.Visit(c.Nodes[0], "ann")
		attach(last, third, desk, `{}`)
		third.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{"read_counter":100}}]`)
		third.Leave()
		second.Leave()
		awaitForgotten(t, c, "ann", `{"q":{"read_counter":5}}`)
	})
}

// awaitForgotten waits, for a few graces, until a user who was away gets what is written now and nothing else.
func awaitForgotten(t *testing.T, c *testkit.Cluster, user, private string) {
	t.Helper()
	var got []testkit.Event
	for i := range 4 {
		time.Sleep(4 * time.Second) // the grace of 1 s, begun at the next round of a sweep, ended at one after it
		n := c.Nodes[i%len(c.Nodes)]
		v := c.Visit(n, user)
		attach(n, v, desk, `{"private":{"`+user+`":`+private+`}}`)
		if _, err := v.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "lattice" }); err != nil {
			t.Fatal(err)
		}
		got = v.Lattice(desk)
		v.Leave()
		if testkit.SameJSON(t, string(got[0].Data), private) {
			return
		}
	}
	t.Errorf("%s still gets %v, want only %s", user, got, private)
}

// A shared key that nobody on any node can look at goes after the grace; as long as one can, it stays.
func TestWeakness17SharedIsNeverCollected(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    private-grace: 10m\n    shared-grace: 1s\n"}, func(t *testing.T, c *testkit.Cluster) {
		last := other(c, c.Nodes[0])
		bob := c.Visit(last, "bob")
		attach(last, bob, desk, `{"shared":{"q":{"size_counter":100},"r":{"size_counter":100}},"private":{"ann":{"q":{}},"bob":{"r":{}}}}`)
		awaitForgotten(t, c, "ann", `{"q":{}}`)
		update(c.Nodes[0], desk, `{"shared":{"r":{"size_counter":99}}}`)
		again := c.Visit(c.Nodes[0], "bob")
		attach(c.Nodes[0], again, desk, `{}`)
		again.Want(1, `["lattice",{"namespace":"desk.queues"},{"r":{"size_counter":100}}]`)
	})
}

// Data for a user who never comes goes after the grace.
func TestWeakness18UserWhoNeverConnects(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    private-grace: 1s\n    shared-grace: 10m\n"}, func(t *testing.T, c *testkit.Cluster) {
		update(c.Nodes[0], desk, `{"private":{"zed":{"q":{"read_counter":100}}}}`)
		awaitForgotten(t, c, "zed", `{"q":{"read_counter":5}}`)
	})
}

// A pending connection whose namespace vanishes before it is associated: the original's process died of its disconnect.
func TestWeakness20NamespaceGoneWhilePending(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: quick}, func(t *testing.T, c *testkit.Cluster) {
		n := c.Nodes[0]
		ann := c.Visit(n, "ann")
		attach(n, ann, desk, `{"private":{"ann":{"q":{}}},"shared":{"q":{"size_counter":1}}}`)
		release := c.Backend.Hold()
		defer release()
		bob, await := c.Pending(n, "bob")
		attach(other(c, n), bob, desk, `{}`)
		other(c, n).Accepted("DELETE", "/v1/connection/"+ann.ID+"/lattices/desk/queues", "")
		ann.Leave()
		time.Sleep(3 * time.Second) // both graces
		release()
		if err := await(); err != nil {
			t.Fatal(err)
		}
		bob.Want(1, `["lattice",{"namespace":"desk.queues"},{}]`)
		bob.Leave()
		cid := c.Visit(n, "cid")
		attach(n, cid, desk, `{"private":{"cid":{"q":{"read_counter":1}}}}`)
		if _, err := cid.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "lattice" }); err != nil {
			t.Fatal(err)
		}
		if n.Ended() {
			t.Error("the node is gone")
		}
	})
}

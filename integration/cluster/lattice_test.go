package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// An update that was acknowledged is in the view of everybody who may see it, wherever they are connected and wherever it was sent;
// and who comes later gets the same in one snapshot.
func TestLatticeOnEveryNode(t *testing.T) {
	t.Parallel()
	overModes(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		first, last := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
		update(last, desk, `{"shared":{"q:7":{"size_counter":3,"mood_register":[1,"ok"]},"q:8":{"size_counter":9}},"private":{"ann":{"q:7":{"read_counter":1}}}}`)
		ann := c.Visit(first, "ann")
		attach(last, ann, desk, `{}`) // through another node
		ann.Want(1, `["lattice",{"namespace":"desk.queues"},{"q:7":{"size_counter":3,"read_counter":1,"mood_register":[1,"ok"]}}]`)
		bob := c.Visit(last, "bob")
		attach(first, bob, desk, `{}`)
		bob.Want(1, `["lattice",{"namespace":"desk.queues"},{}]`)

		for i, n := range c.Nodes {
			update(n, desk, fmt.Sprintf(`{"shared":{"q:7":{"size_counter":%d}}}`, 10+i))
			ann.Want(2+i, fmt.Sprintf(`["lattice",{"namespace":"desk.queues"},{"q:7":{"size_counter":%d}}]`, 10+i))
		}
		next := ann.Count()
		// A key that becomes visible brings all its shared variables, in one frame with what changed.
		update(last, desk, `{"shared":{"q:8":{"tags_set":["x"]}},"private":{"ann":{"q:8":{"read_counter":2}}}}`)
		ann.Want(next, `["lattice",{"namespace":"desk.queues"},{"q:8":{"size_counter":9,"tags_set":["x"],"read_counter":2}}]`)
		update(first, desk, `{"private":{"ann":{"q:9":{}}}}`)
		ann.Want(next+1, `["lattice",{"namespace":"desk.queues"},{"q:9":{}}]`)
		// Nothing new, no frame; a set comes as it was sent.
		update(last, desk, `{"shared":{"q:7":{"size_counter":2}},"private":{"ann":{"q:7":{"read_counter":1}}}}`)
		update(last, desk, `{"shared":{"q:8":{"tags_set":["x","y"]}}}`)
		ann.Want(next+2, `["lattice",{"namespace":"desk.queues"},{"q:8":{"tags_set":["x","y"]}}]`)
		size := 10 + len(c.Nodes) - 1
		want := fmt.Sprintf(`{"q:7":{"size_counter":%d,"read_counter":1,"mood_register":[1,"ok"]},"q:8":{"size_counter":9,"tags_set":["x","y"],"read_counter":2},"q:9":{}}`, size)
		staysView(t, ann, desk, want)
		// The same user elsewhere: the same state.
		for _, n := range c.Nodes {
			again := c.Visit(n, "ann")
			attach(other(c, n), again, desk, `{}`)
			again.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
			// Attaching again: the delta first, then the snapshot.
			attach(other(c, n), again, desk, `{"shared":{"q:7":{"size_counter":1}}}`)
			again.Want(2, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
			// After detaching nothing comes any more, and the other connections of the user still hear.
			other(c, n).Accepted("DELETE", "/v1/connection/"+again.ID+"/lattices/desk/queues", "")
			size++
			update(n, desk, fmt.Sprintf(`{"shared":{"q:7":{"size_counter":%d}}}`, size))
			want = fmt.Sprintf(`{"q:7":{"size_counter":%d,"read_counter":1,"mood_register":[1,"ok"]},"q:8":{"size_counter":9,"tags_set":["x","y"],"read_counter":2},"q:9":{}}`, size)
			awaitView(t, ann, desk, want)
			if again.Count() != 3 {
				t.Errorf("after detaching came %v", again.Events()[3:])
			}
		}
		if bob.Count() != 2 {
			t.Errorf("bob, who may see nothing, got %v", bob.Events())
		}
	})
}

// What a node that dies has acknowledged is there for its users on any other node; and when it comes back, it has everything.
func TestLatticeSurvivesNode(t *testing.T) {
	t.Parallel()
	overModes(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		first, second := c.Nodes[0], other(c, c.Nodes[0])
		ann := c.Visit(first, "ann")
		attach(first, ann, desk, `{"private":{"ann":{"q:1":{"read_counter":1}}},"shared":{"q:1":{"size_counter":5}}}`)
		for i := range 20 {
			update(first, desk, fmt.Sprintf(`{"shared":{"q:1":{"size_counter":%d}},"private":{"ann":{"q:%d":{"read_counter":%d}}}}`, 10+i, i, i))
		}
		first.Kill()
		<-ann.Ended()
		if c.Mode == testkit.Embedded { // its own restart is all there is
			first.Start()
			first.AwaitReady(200)
		}
		again := c.Visit(second, "ann")
		attach(second, again, desk, `{}`)
		keys := make([]string, 0, 20)
		for i := range 20 {
			if i == 1 {
				keys = append(keys, `"q:1":{"size_counter":29,"read_counter":1}`)
			} else {
				keys = append(keys, fmt.Sprintf(`"q:%d":{"read_counter":%d}`, i, i))
			}
		}
		want := "{" + join(keys) + "}"
		again.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
		if c.Mode == testkit.Embedded {
			return
		}
		first.Start()
		first.AwaitReady(200)
		back := c.Visit(first, "ann")
		attach(first, back, desk, `{}`)
		back.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
		update(first, desk, `{"shared":{"q:1":{"size_counter":77}}}`)
		again.Want(2, `["lattice",{"namespace":"desk.queues"},{"q:1":{"size_counter":77}}]`)
	})
}

// In a mesh one node is enough: it starts although no other can be reached, promises what one node can, and the next one that comes
// gets everything from it.
func TestMeshOfOne(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Mesh, testkit.ClusterOptions{Pool: calm})
	alone, late := c.Nodes[0], c.Nodes[1]
	for _, n := range c.Nodes {
		n.Kill()
	}
	alone.Start()
	alone.AwaitReady(200)
	ann := c.Visit(alone, "ann")
	attach(alone, ann, desk, `{"private":{"ann":{"q":{"read_counter":1}}},"shared":{"q":{"size_counter":5}}}`)
	update(alone, desk, `{"shared":{"q":{"size_counter":6}}}`)
	const want = `{"q":{"size_counter":6,"read_counter":1}}`
	awaitView(t, ann, desk, want)
	for _, l := range c.LinksOf(0) {
		l.Delay(50 * time.Millisecond) // it takes a while until they know each other
	}
	late.Start()
	late.AwaitReady(200)
	watch(late, ann, "ann")
	awaitStatus(t, ann, "ann", "active", testkit.Patience)
	for _, l := range c.LinksOf(0) {
		l.Delay(0)
	}
	alone.Kill()
	again := c.Visit(late, "ann")
	attach(late, again, desk, `{}`)
	again.Want(1, `["lattice",{"namespace":"desk.queues"},`+want+`]`)
	// For three beats the dead node is waited for.
	if err := late.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"size_counter":7}}}`); err != nil {
		t.Fatal(err)
	}
	again.Want(2, `["lattice",{"namespace":"desk.queues"},{"q":{"size_counter":7}}]`)
}

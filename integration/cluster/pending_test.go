//go:build pending4

package cluster

import (
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

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

package cluster

import (
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// The ids of connections that a node had before it was started again are said to be gone, by every node, and are given to nobody. The
// original answered them like any other.
func TestWeakness30RestartInvalidatesIDs(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm + "    strict-api: true\n"}, func(t *testing.T, c *testkit.Cluster) {
		first := c.Nodes[0]
		old := c.Visit(first, "ann").ID
		first.Kill()
		first.Start()
		first.AwaitReady(200)
		again := c.Visit(first, "ann")
		if again.ID == old {
			t.Fatalf("the id %s is there again", old)
		}
		for _, n := range c.Nodes {
			for _, call := range [][3]string{
				{"PUT", "/subscriptions/room", ""},
				{"DELETE", "/subscriptions/room", ""},
				{"PUT", "/lattices/desk", `{}`},
				{"PUT", "/users", `["bob"]`},
				{"DELETE", "/users", ""},
			} {
				testkit.Eventually(t, "node "+n.Name+" says of "+call[0]+call[1]+" that the connection is gone", func() bool {
					a := n.Call(call[0], "/v1/connection/"+old+call[1], call[2])
					if a.StatusCode != 404 && a.StatusCode != 503 { // nobody knows before the silence of a dead node is long enough
						t.Fatalf("node %s: %v is answered %d %s", n.Name, call, a.StatusCode, a.Body)
					}
					return a.StatusCode == 404 && testkit.SameJSON(t, a.Body, `{"error":"connection-gone"}`)
				})
			}
			n.Accepted("POST", "/v1/publish/room", `1`)
		}
		within(testkit.Quiet, func() bool { return again.Count() > 1 })
		if again.Count() != 1 {
			t.Errorf("what was meant for the old connection came to the new one: %v", again.Events()[1:])
		}
	})
}

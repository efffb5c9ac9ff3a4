//go:build pending4

package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A node acts for the whole cluster as soon as it is ready, also when it has just started.
func TestFreshNodeKnowsTheOthers(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Mesh, testkit.Single}, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		fresh, old := c.Nodes[0], c.Nodes[1]
		w := c.Visit(old, "watcher")
		watch(old, w, "ann")
		attach(old, w, desk, `{"private":{"watcher":{"q":{}}}}`)
		for i := range 3 {
			fresh.Kill()
			fresh.Start()
			fresh.AwaitReady(200)
			user := fmt.Sprintf("u%d", i)
			fresh.Accepted("PUT", "/v1/user/watcher/users", `["`+user+`"]`)
			fresh.Accepted("PUT", "/v1/connection/"+w.ID+"/subscriptions/"+user, "")
			fresh.Accepted("POST", "/v1/publish/"+user, `1`)
			update(fresh, desk, fmt.Sprintf(`{"shared":{"q":{"x_counter":%d}}}`, i))
			awaitStatus(t, w, user, "offline", 2*time.Second)
			awaitView(t, w, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, i))
			if got := messages(t, w, i+1)[user]; len(got) != 1 {
				t.Errorf("of %s came %v", user, got)
			}
		}
	})
}

// A store without quorum shows on /ready.
func TestTroubleWithoutQuorumIsVisible(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Three, testkit.ClusterOptions{Pool: calm})
	says := func(n *testkit.Node) bool {
		return strings.Contains(testkit.Get(t, n.Addr("ADMIN"), "/ready").Body, `"lattices": "ok"`)
	}
	for _, s := range c.NATS[1:] {
		s.Kill()
	}
	for _, n := range c.Nodes {
		testkit.Eventually(t, "/ready of node "+n.Name+" shows that the store is away", func() bool { return !says(n) })
	}
	for _, s := range c.NATS[1:] {
		s.Start()
	}
	for _, n := range c.Nodes {
		testkit.Eventually(t, "/ready of node "+n.Name+" shows that the store is back", func() bool { return says(n) })
	}
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
	late.Start()
	late.AwaitReady(200)
	watch(late, ann, "ann")
	awaitStatus(t, ann, "ann", "active", testkit.Patience)
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

package cluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A node that holds connections of a user stands still for longer than three beats and goes on: users for all connections
// of that user are not accepted without it (protocol §9.1, decision D16).
func TestUsersWaitForAFrozenNode(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Mesh, testkit.Single}, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		asked, frozen := c.Nodes[0], c.Nodes[1]
		w := c.Visit(frozen, "watcher")
		watch(frozen, w, "ann")
		awaitStatus(t, w, "ann", "offline", testkit.Patience)
		frozen.Freeze()
		t.Cleanup(frozen.Thaw)
		time.Sleep(4500 * time.Millisecond) // silent, and not dead
		start := time.Now()
		if a := asked.Call("PUT", "/v1/user/watcher/users", `["bob"]`); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("while a node is silent: %d after %v", a.StatusCode, time.Since(start))
		}
		frozen.Thaw()
		if err := asked.Insist(testkit.Patience, "PUT", "/v1/user/watcher/users", `["bob"]`); err != nil {
			t.Fatal(err)
		}
		awaitStatus(t, w, "bob", "offline", testkit.Patience)
		c.Visit(asked, "bob")
		awaitStatus(t, w, "bob", "active", testkit.Patience)
	})
}

package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A node that is cut off for less than the grace changes nobody's status; one that is cut off for longer, or dies, leaves no ghosts:
// its users go offline when their time has passed, and only then.
func TestPresenceUnderPartition(t *testing.T) {
	t.Parallel()
	pool := "    new-connection-idle-timeout: 16s\n    client-min-idle-timeout: 1s\n"
	overModes(t, several, testkit.ClusterOptions{Pool: pool}, func(t *testing.T, c *testkit.Cluster) {
		cut, stay := c.Nodes[0], c.Nodes[1]
		w := c.Visit(stay, "watcher")
		watch(stay, w, "ann", "moved", "lost")
		inside := c.Visit(cut, "inside")
		watch(cut, inside, "ann", "moved")
		begin := time.Now()
		ann := c.Visit(cut, "ann")
		c.Visit(cut, "moved")
		for _, u := range []string{"ann", "moved"} {
			awaitStatus(t, w, u, "active", testkit.Patience)
		}
		before := [2]int{len(statuses(w, "ann")), len(statuses(w, "moved"))}
		c.Isolate(0)
		time.Sleep(time.Second)
		c.Rejoin(0)
		cut.AwaitReady(200)
		time.Sleep(time.Second)
		c.Isolate(0)
		// One user moves to the other side while the node is away: there is no moment without.
		c.Visit(stay, "moved")
		time.Sleep(14*time.Second - time.Since(begin))
		if got := [2]int{len(statuses(w, "ann")), len(statuses(w, "moved"))}; got != before {
			t.Errorf("within the time of their activity the watcher was told %v and %v", statuses(w, "ann")[before[0]:], statuses(w, "moved")[before[1]:])
		}
		// On this side ann's connections cannot be seen any more.
		gone := awaitStatus(t, w, "ann", "offline", testkit.Patience)
		if took := gone.at.Sub(begin); took < 15*time.Second {
			t.Errorf("ann went offline after %v, before her time had passed", took)
		}
		c.Rejoin(0)
		cut.AwaitReady(200)
		// She was there all the time, inactive; both sides come to say so.
		awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		awaitStatus(t, inside, "ann", "inactive", testkit.Patience)
		if !ann.Open() {
			t.Error("her websocket was closed")
		}
		time.Sleep(2 * time.Second) // the others have heard of it again
		cut.Kill()
		awaitStatus(t, w, "ann", "offline", testkit.Patience)
		awaitStatus(t, w, "moved", "inactive", testkit.Patience)
		checkStatuses(t, w, "ann")
		checkStatuses(t, w, "moved")
		checkStatuses(t, inside, "ann")
	})
}

// A node that dies before the others have heard of it, right after it started or came back, leaves no ghosts either.
func TestPresenceOfNodeHardlyThere(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Mesh, testkit.Single}, testkit.ClusterOptions{Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		cut, stay := c.Nodes[0], c.Nodes[1]
		w := c.Visit(stay, "watcher")
		watch(stay, w, "ann")
		c.Visit(cut, "ann")
		awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		c.Isolate(0)
		awaitStatus(t, w, "ann", "offline", testkit.Patience)
		c.Rejoin(0)
		awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		cut.Kill()
		awaitStatus(t, w, "ann", "offline", testkit.Patience)
	})
}

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

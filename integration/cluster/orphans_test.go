package cluster

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A node is killed on its answer to an update for users who never come, before it has noted that their data must go: the
// next run finds the data, which stays for a grace and goes.
func TestWeakness18NodeKilledOnItsAnswer(t *testing.T) {
	t.Parallel()
	const users = 100
	c := testkit.New(t).Cluster(testkit.Embedded, testkit.ClusterOptions{Pool: "    private-grace: 1s\n    shared-grace: 10m\n"})
	n := c.Nodes[0]
	var private []string
	for i := range users {
		private = append(private, fmt.Sprintf(`"zed%d":{"q":{"read_counter":100}}`, i))
	}
	update(n, desk, `{"private":{`+join(private)+`}}`)
	n.Kill()
	n.Start()
	n.AwaitReady(http.StatusOK)
	const purged = "swindon_replica_purged_total"
	for began := time.Now(); n.Metric(purged, "") < users; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 20*time.Second+testkit.Patience {
			t.Fatalf("%v documents of %d have gone", n.Metric(purged, ""), users)
		}
	}
	zed := c.Visit(n, "zed7")
	attach(n, zed, desk, `{"private":{"zed7":{"q":{"read_counter":5}}}}`)
	zed.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{"read_counter":5}}]`)
	if got := n.Metric(purged, ""); got != users {
		t.Errorf("%v documents have gone, there were %d", got, users)
	}
}

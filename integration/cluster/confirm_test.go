package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A node of a mesh acknowledges nothing that only it has while a peer is there, also right after the peer has come, over links as slow
// as those of a network.
func TestMeshConfirmsWithFreshPeer(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Mesh, testkit.ClusterOptions{Pool: calm})
	first, second := c.Nodes[0], c.Nodes[1]
	for _, l := range c.LinksOf(0) {
		l.Delay(40 * time.Millisecond)
	}
	second.Kill()
	time.Sleep(4 * time.Second) // it is not waited for any more
	second.Start()
	second.AwaitReady(200)
	for i := range 20 {
		if err := first.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", fmt.Sprintf(`{"private":{"ann":{"q":{"x_counter":%d}}}}`, 1+i)); err != nil {
			t.Fatal(err)
		}
	}
	first.Kill()
	ann := c.Visit(second, "ann")
	attach(second, ann, desk, `{}`)
	ann.Want(1, `["lattice",{"namespace":"desk.queues"},{"q":{"x_counter":20}}]`)
}

package presence

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// overStore runs a test with a cluster over a store in a bubble, after the time in which nobody is believed dead.
func overStore(t *testing.T, nodes int, f func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, nodes, false)
		defer func() {
			if t.Failed() {
				t.Log("\n" + c.String())
			}
		}()
		defer c.close()
		c.sleep(11 * time.Second)
		f(t, c)
	})
}

// users are names whose owner is node i of the cluster.
func (c *cluster) users(i, count int) (out []names.UserID) {
	v := newView(c.nodes[0].id, nil)
	for _, n := range c.nodes {
		v = newView(n.id, v.nodes)
	}
	for k := 0; len(out) < count; k++ {
		if u := names.UserID(fmt.Sprintf("user%d", k)); v.owner(u) == c.nodes[i].id {
			out = append(out, u)
		}
	}
	return out
}

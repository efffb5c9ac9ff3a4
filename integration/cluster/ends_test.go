package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A key that ends is in no new snapshot on any node, and what is written later begins anew, with lower values, for those who come as
// for those who were there. An update without an end does not shorten it; the greater end wins.
func TestLatticeEnds(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		last := other(c, c.Nodes[0])
		snapshot := func(n *testkit.Node) string {
			t.Helper()
			v := c.Visit(n, "ann")
			attach(c.Nodes[0], v, desk, `{}`)
			e, err := v.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "lattice" })
			if err != nil {
				t.Fatal(err)
			}
			v.Leave()
			return string(e.Data)
		}
		update(last, desk, `{"private":{"ann":{"short":{"p_counter":9,"expires_in":"2s"},"long":{"p_counter":9,"expires_in":"1s"},"for-ever":{}}},"shared":{"short":{"x_counter":9,"expires_in":"2s"}}}`)
		update(c.Nodes[0], desk, `{"private":{"ann":{"long":{"q_counter":1,"expires_in":"10m"},"short":{"q_counter":9}}}}`)
		const whole = `{"short":{"p_counter":9,"q_counter":9,"x_counter":9},"long":{"p_counter":9,"q_counter":1},"for-ever":{}}`
		for _, n := range c.Nodes {
			if got := snapshot(n); !testkit.SameJSON(t, got, whole) {
				t.Errorf("before its end node %s shows %s", n.Name, got)
			}
		}
		time.Sleep(2500 * time.Millisecond)
		for _, n := range c.Nodes {
			if got := snapshot(n); !testkit.SameJSON(t, got, `{"long":{"p_counter":9,"q_counter":1},"for-ever":{}}`) {
				t.Errorf("after its end node %s shows %s", n.Name, got)
			}
		}
		for i, n := range c.Nodes {
			update(n, desk, fmt.Sprintf(`{"private":{"ann":{"short":{"p_counter":%[1]d}}},"shared":{"short":{"x_counter":%[1]d}}}`, 1+i))
		}
		for _, n := range c.Nodes {
			want := fmt.Sprintf(`{"short":{"p_counter":%[1]d,"x_counter":%[1]d},"long":{"p_counter":9,"q_counter":1},"for-ever":{}}`, len(c.Nodes))
			if got := snapshot(n); !testkit.SameJSON(t, got, want) {
				t.Errorf("in its new life node %s shows %s, want %s", n.Name, got, want)
			}
		}
	})
}

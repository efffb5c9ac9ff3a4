package replica_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/gateway/replica"
)

// TestCensus counts what is followed, and nothing else.
func TestCensus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 1)
		defer c.stop()
		n := c.nodes[0]
		n.update(`{"shared":{"k":{"a_counter":1,"b_set":["x","y"],"c_register":[1,2]},"unseen":{"a_counter":1}},
			"private":{"ann":{"k":{"d_counter":1,"e_set":["z"]},"l":{}},"bob":{"k":{}}}}`)
		if got := n.set.Census(); got != (replica.Census{}) {
			t.Errorf("nobody looks: %+v", got)
		}
		n.open("ann")
		want := replica.Census{
			Namespaces: 1, SetItems: 3,
			Shared:  replica.Area{Keys: 1, Counters: 1, Sets: 1, Registers: 1},
			Private: replica.Area{Keys: 2, Counters: 1, Sets: 1},
		}
		if diff := cmp.Diff(want, n.set.Census()); diff != "" {
			t.Error(diff)
		}
		if got := want.Shared.Plus(want.Private); got != (replica.Area{Keys: 3, Counters: 2, Sets: 2, Registers: 1}) {
			t.Errorf("Plus: %+v", got)
		}
	})
}

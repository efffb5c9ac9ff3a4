package presence

import (
	"testing"
	"time"
)

// This is the history of the machine's counterexample "expired 1485 ms late". 1485 ms are two ways to a store that takes
// 742.5 ms for each, so one write that nothing held up: the store has been slow for so long that the cluster counts as
// calm, the deadline passes, and while the owner's write is under way settle makes the store fast. The write still takes
// the time it began with, so settle is a trouble for the judge like every other change of slow.
func TestMachineSlowWriteUnderWayAtTheEnd(t *testing.T) {
	t.Parallel()
	overStore(t, 3, func(t *testing.T, c *cluster) {
		u := c.users(0, 1)[0]
		c.nodes[0].slow = 14850 * time.Millisecond / 20
		c.troubled()
		c.sleep(20 * time.Millisecond)
		if err := c.nodes[1].join(u, 15100*time.Millisecond); err != nil {
			t.Error(err)
		}
		c.sleep(15900 * time.Millisecond)
		c.want(u, Active) // its end is on the second way
		c.settle()
		c.want(u, Inactive)
		h := c.history[u]
		if late := c.start.Add(h[1].at).UnixMilli() - h[1].rec.Until; late != 1485 {
			t.Errorf("expired %d ms late", late)
		}
	})
}

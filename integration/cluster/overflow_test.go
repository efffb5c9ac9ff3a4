package cluster

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// In long runs only: when the machine has much else to do, the server cuts the node off before its intake is full.
//
// A node gets more than it can look at: its intake overflows and it loses messages of the other nodes, announcements of lattices among
// them. That is counted, and its lattices are right again all the same.
//
// What overflows it is sent by a backend over NATS to a topic with a subscriber on that node alone: long arrays that are read to their
// end to be found bad, which takes many times longer than to receive them. The updates carry a key that nobody looks at, so that their
// announcements are longer still: a short one fits beside what fills an intake.
func TestTroubleIntakeOverflow(t *testing.T) {
	if _, long := soak(t); !long {
		t.Skip("left to make soak")
	}
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Single, testkit.ClusterOptions{Nodes: 2, Pool: calm + "    max-value-size: 1M\n"})
	all := audience(t, c)
	slow, quick := c.Nodes[0], c.Nodes[1]
	slow.Accepted("PUT", "/v1/connection/"+all[0].ID+"/subscriptions/flood", "")
	nc := testkit.Connect(t, c.NATS[0].URL())
	bad := []byte("[" + strings.Repeat(`"",`, 100_000) + "]")
	unseen := strings.Repeat("x", 800_000)
	value := 10
	announced, heard := quick.Metric("swindon_replica_announcements_total", ""), slow.Metric("swindon_replica_announcements_heard_total", "")
	var flood sync.WaitGroup
	over := make(chan struct{})
	stop := sync.OnceFunc(func() { close(over); flood.Wait() })
	defer stop()
	flood.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if err := nc.Publish("sw.main.top.flood", bad); err != nil {
				t.Error(err)
				return
			}
		}
	})
	begin := time.Now()
	for more := 5; more > 0; {
		value++
		update(quick, desk, fmt.Sprintf(`{"shared":{"q":{"x_counter":%d},"unseen":{"x_register":[%[1]d,%q]}}}`, value, unseen))
		switch {
		case slow.Metric("swindon_nats_gaps_total", `reason="overflow"`) > 0:
			more--
		case time.Since(begin) > testkit.Patience:
			t.Fatal("nothing overflows the intake")
		}
	}
	stop()
	for _, v := range all {
		awaitView(t, v, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
	}
	announced, heard = quick.Metric("swindon_replica_announcements_total", "")-announced, slow.Metric("swindon_replica_announcements_heard_total", "")-heard
	if heard >= announced {
		t.Errorf("the slow node has heard %v of %v announcements: the test does not test", heard, announced)
	}
	if dropped := slow.Metric("swindon_nats_dropped_total", ""); dropped < 1 {
		t.Errorf("swindon_nats_dropped_total of the slow node is %v", dropped)
	}
	if gaps := quick.Metric("swindon_nats_gaps_total", `reason="overflow"`); gaps != 0 {
		t.Errorf("swindon_nats_gaps_total of the other node is %v", gaps)
	}
	slow.Stderr.Await(t, "Messages over NATS may have been lost")
	t.Logf("dropped %v, gaps %v; heard %v of %v announcements", slow.Metric("swindon_nats_dropped_total", ""),
		slow.Metric("swindon_nats_gaps_total", ""), heard, announced)
	converges(t, c, all, value)
	for _, e := range all[0].Events() {
		if e.Kind == "message" && e.Topic() == "flood" {
			t.Fatal("a bad message was delivered")
		}
	}
}

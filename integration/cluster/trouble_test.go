package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// The NATS server dies and comes back with its store.
func TestTroubleServerAway(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Single, testkit.ClusterOptions{Pool: calm})
	all := audience(t, c)
	update(c.Nodes[0], desk, `{"shared":{"q":{"x_counter":5}}}`)
	c.Logf("nats is killed")
	c.NATS[0].Kill()
	for i, n := range c.Nodes {
		n.AwaitReady(503)
		if up := n.Metric("swindon_nats_up", ""); up != 0 {
			t.Errorf("node %s: swindon_nats_up is %v", n.Name, up)
		}
		refused(t, n, "POST", "/v1/publish/room", `"lost"`)
		refused(t, n, "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"x_counter":1000}}}`)
		refused(t, n, "PUT", "/v1/connection/"+all[(i+1)%len(all)].ID+"/subscriptions/room", "")
		goesOn(t, c, all[i])
	}
	c.NATS[0].Start()
	converges(t, c, all, 10) // 1000 was refused and must be nowhere
}

// Where a session pool accepts updates without quorum of its store, they are shown everywhere at once, and stored when it is back.
func TestTroubleAccepted(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Three, testkit.ClusterOptions{Pool: calm + "    lattice-degraded: accept\n"})
	all := audience(t, c)
	for _, s := range c.NATS[1:] {
		s.Kill()
	}
	c.Logf("two NATS servers are killed")
	reached(t, c, all)
	value := 10
	for _, n := range c.Nodes {
		value++
		if err := n.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", fmt.Sprintf(`{"shared":{"q":{"x_counter":%d}}}`, value)); err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			awaitView(t, v, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
		}
	}
	for _, s := range c.NATS[1:] {
		s.Start()
	}
	for _, n := range c.Nodes {
		testkit.Eventually(t, "node "+n.Name+" has stored everything", func() bool { return n.Metric("swindon_replica_dirty_documents", "") == 0 })
	}
	converges(t, c, all, value)
}

// The NATS server stands still, connections open, and goes on.
func TestTroubleServerStalled(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Single, testkit.ClusterOptions{Pool: calm})
	all := audience(t, c)
	c.NATS[0].Freeze()
	t.Cleanup(func() { c.NATS[0].Thaw() })
	refused(t, c.Nodes[0], "POST", "/v1/publish/room", `"perhaps"`)
	refused(t, c.Nodes[1], "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"x_counter":7}}}`) // may have been merged
	refused(t, c.Nodes[2], "PUT", "/v1/connection/"+all[0].ID+"/subscriptions/room", "")
	for _, v := range all {
		goesOn(t, c, v)
	}
	c.NATS[0].Thaw()
	converges(t, c, all, 10)
}

// Two of three servers die: what is stored cannot be promised, what only travels can. Then they come back.
func TestTroubleWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Three, testkit.ClusterOptions{Pool: calm})
	all := audience(t, c)
	for _, s := range c.NATS[1:] {
		s.Kill()
	}
	c.Logf("two NATS servers are killed")
	for i, n := range c.Nodes {
		if err := n.Insist(testkit.Patience, "POST", "/v1/publish/room", fmt.Sprint(i)); err != nil {
			t.Error(err)
		}
		goesOn(t, c, all[i])
	}
	for _, n := range c.Nodes {
		refused(t, n, "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"x_counter":7}}}`)
	}
	for _, v := range all {
		if !v.Open() {
			t.Errorf("the websocket of %s was closed with %d", v.User, v.Code())
		}
	}
	for _, s := range c.NATS[1:] {
		s.Start()
	}
	converges(t, c, all, 10)
}

// A store without quorum shows on /ready.
func TestTroubleWithoutQuorumIsVisible(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Three, testkit.ClusterOptions{Pool: calm})
	says := func(n *testkit.Node) bool {
		return strings.Contains(testkit.Get(t, n.Addr("ADMIN"), "/ready").Body, `"lattices": "ok"`)
	}
	// A leader that is left alone notices it after ten seconds and more, and nodes look every five.
	const seen = 90 * time.Second
	for _, s := range c.NATS[1:] {
		s.Kill()
	}
	for _, n := range c.Nodes {
		if !within(seen, func() bool { return !says(n) && n.Metric("swindon_replica_stores_away", "") >= 1 }) {
			t.Errorf("node %s does not show that the store is away: %s", n.Name, testkit.Get(t, n.Addr("ADMIN"), "/ready").Body)
		}
	}
	for _, s := range c.NATS[1:] {
		s.Start()
	}
	for _, n := range c.Nodes {
		if !within(seen, func() bool { return says(n) && n.Metric("swindon_replica_stores_away", "") == 0 }) {
			t.Errorf("node %s does not show that the store is back", n.Name)
		}
	}
}

// One of three servers dies: nothing that was acknowledged is missing, and after a moment everything is promised as before.
func TestTroubleOneOfThree(t *testing.T) {
	t.Parallel()
	c := testkit.New(t).Cluster(testkit.Three, testkit.ClusterOptions{Pool: calm})
	all := audience(t, c)
	value := 10
	victims := c.NATS
	if _, long := soak(t); !long {
		victims = victims[c.Rand.IntN(len(victims)):][:1]
	}
	for _, s := range victims {
		s.Kill()
		for _, n := range c.Nodes {
			value++
			if err := n.Insist(testkit.Patience, "POST", "/v1/lattice/desk/queues", fmt.Sprintf(`{"shared":{"q":{"x_counter":%d}}}`, value)); err != nil {
				t.Fatal(err)
			}
		}
		s.Start()
		for _, v := range all {
			awaitView(t, v, desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
		}
		for _, n := range c.Nodes {
			n.AwaitReady(200)
		}
		s.AwaitAddr(s.Addr)
		time.Sleep(time.Second) // it catches up with the others
	}
	converges(t, c, all, value)
}

// A node that is too slow for its link loses messages; its lattices are right again all the same, and nobody else waits for it.
func TestTroubleSlowConsumer(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("NATSMORE", "max_payload: 1MB\nmax_pending: 1MB\nwrite_deadline: \"1s\"\n")
	c := env.Cluster(testkit.Single, testkit.ClusterOptions{Pool: calm})
	all := audience(t, c)
	for _, l := range c.LinksOf(0) {
		l.Throttle(20_000)
	}
	c.Logf("node 0 is slow")
	filler := `"` + strings.Repeat("x", 64<<10) + `"`
	value := 1
	for range 100 {
		value++
		update(c.Nodes[1], desk, fmt.Sprintf(`{"shared":{"q":{"x_counter":%d}}}`, value))
		c.Nodes[1].Accepted("POST", "/v1/publish/elsewhere", filler)
	}
	awaitView(t, all[2], desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
	for _, l := range c.LinksOf(0) {
		l.Throttle(0)
	}
	awaitView(t, all[0], desk, fmt.Sprintf(`{"q":{"x_counter":%d}}`, value))
	if gaps := c.Nodes[0].Metric("swindon_nats_gaps_total", ""); gaps < 1 {
		t.Errorf("swindon_nats_gaps_total is %v: the test does not test", gaps)
	}
	converges(t, c, all, value)
}

// What is not understood, because a newer version sent it or somebody plays tricks, ends nothing.
func TestWeakness26UnknownFromNewerVersions(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Single}, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		all := audience(t, c)
		nc := testkit.Connect(t, c.NATS[0].URL())
		id := all[0].ID
		i := strings.LastIndexByte(id, '-')
		for subject, body := range map[string]string{
			"sw.main.lat.desk=2Equeues": `{"v":9,"docs":[{"s":"q","x":1,"seq":"?","d":[]}],"new":{}}`,
			"sw.main.lat.other":         `{"docs":[{"s":"q","seq":18446744073709551615,"prev":7,"d":{"x_counter":-1}}]}`,
			"sw.main.lat.idle.u0":       `{"seq":-1,"r":{"until":"never"}}`,
			"sw.main.lat.a.b.c":         `{}`,
			"sw.main.lat.=":             `not json`,
			"sw.main.nodes.beat":        `{"lat":"x","protocol":99}`,
			"sw.main.nodes.future":      `{}`,
			"sw.main.load.desk":         `{}`,
			"sw.main.top.room":          `{"not json`,
			"sw.main.user.u0.future":    `{}`,
		} {
			if err := nc.Publish(subject, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		r, err := nc.Request("sw.main.conn."+id[:i]+"."+id[i+1:]+".future", []byte(`{}`), testkit.Patience)
		if err != nil || r.Header.Get("Nats-Service-Error-Code") != "400" {
			t.Errorf("an unknown operation is answered %v, %v", r, err)
		}
		for _, n := range c.Nodes {
			a, err := n.API(context.Background(), "POST", "/v1/lattice/desk/queues", `{"shared":{"q":{"big_register":[1,"`+strings.Repeat("x", 11<<20)+`"]}}}`)
			if err == nil && a.StatusCode != 413 {
				t.Errorf("11 MiB are answered %d", a.StatusCode)
			}
		}
		converges(t, c, all, 10)
	})
}

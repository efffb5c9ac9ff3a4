package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Three nodes, twenty clients, four writers; links break and stall, nodes and NATS servers are killed with -9 and come back. At rest
// every client's view, and every new snapshot on every node, is the join of all acknowledged updates that the user may see; nothing
// acknowledged is missing, nothing else is there, and no view went backwards meanwhile: not on one connection, at any moment, and not
// over a move to another node, as soon as that must have caught up (guarantees.md G38). From time to time nothing is broken for a
// moment, so that it must.
//
// The external clusters know all faults. In the mesh no node is killed that was cut off before others had what it acknowledged
// (decision D24 promises no more): each fault ends and is repaired before the next begins.
func TestHistory(t *testing.T) {
	t.Parallel()
	modes := []testkit.Mode{testkit.Three, testkit.Mesh}
	length, long := soak(t)
	if long {
		modes = append(modes, testkit.Single)
	}
	overModes(t, modes, testkit.ClusterOptions{Nodes: 3, Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		h := newHistory(t, c)
		h.start()
		faults := newFaults(c, h)
		faults.run(time.Now().Add(length))
		h.stop()
		t.Logf("%d updates, %d moves of clients judged", h.number.Load(), h.judged.Load())
		if h.judged.Load() == 0 {
			t.Error("no move of a client could be judged: the test does not test")
		}
		h.check()
	})
}

// A fault is something that is broken for a while.
type fault struct {
	name  string
	node  int // that is not whole meanwhile; -1: none
	nats  int // that is not there meanwhile; -1: none
	begin func()
	end   func()
	until time.Time
}

// faults breaks things by seeded choice. It works in the test's goroutine.
type faults struct {
	c       *testkit.Cluster
	h       *history
	current []*fault
}

func newFaults(c *testkit.Cluster, h *history) *faults { return &faults{c: c, h: h} }

func (f *faults) run(until time.Time) {
	atOnce, pause := 2, 300
	if f.c.Mode == testkit.Mesh {
		atOnce, pause = 1, 800
	}
	pauses := min(time.Until(until)/2, restEvery)
	for rest := time.Now().Add(pauses); time.Now().Before(until); {
		if time.Now().After(rest) {
			begin := time.Now()
			f.rest()
			rest = time.Now().Add(pauses)
			until = until.Add(time.Since(begin))
		}
		if len(f.current) < atOnce {
			if x := f.choose(); x != nil {
				x.until = time.Now().Add(time.Duration(200+f.c.Rand.IntN(1500)) * time.Millisecond)
				f.c.Logf("begins: %s", x.name)
				f.h.quiet.disturb(x)
				x.begin()
				f.current = append(f.current, x)
			}
		}
		time.Sleep(time.Duration(50+f.c.Rand.IntN(pause)) * time.Millisecond)
		f.endThose(func(x *fault) bool { return time.Now().After(x.until) })
	}
	f.endThose(func(*fault) bool { return true })
	for _, n := range f.c.Nodes {
		n.AwaitReady(200)
	}
}

// rest ends all faults and lets nothing be broken until all nodes must have caught up, and a moment longer.
func (f *faults) rest() {
	f.c.Logf("rest")
	f.endThose(func(*fault) bool { return true })
	for _, n := range f.c.Nodes {
		if !within(time.Minute, func() bool { return f.h.quiet.lasts(n, settles) }) {
			f.h.t.Errorf("node %s acknowledges nothing for a minute after the last fault", n.Name)
		}
	}
	time.Sleep(time.Second) // clients look
}

func (f *faults) endThose(which func(*fault) bool) {
	var rest []*fault
	for _, x := range f.current {
		if !which(x) {
			rest = append(rest, x)
			continue
		}
		x.end()
		f.h.quiet.settle(x)
		f.c.Logf("ended: %s", x.name)
		if f.c.Mode == testkit.Mesh {
			for _, n := range f.c.Nodes {
				n.AwaitReady(200)
			}
			time.Sleep(3 * time.Second) // gaps and differing hashes are found and repaired
		}
	}
	f.current = rest
}

// choose picks a fault that goes with the current ones: one node at least is whole, one NATS server at most is away.
func (f *faults) choose() *fault {
	c := f.c
	node := c.Rand.IntN(len(c.Nodes))
	for _, x := range f.current {
		if x.node == node {
			return nil
		}
	}
	links := c.LinksOf(node)
	n := c.Nodes[node]
	all := func(do func(*testkit.Link)) func() {
		return func() {
			for _, l := range links {
				do(l)
			}
		}
	}
	switch c.Rand.IntN(6) {
	case 0, 1:
		return &fault{fmt.Sprintf("node %d killed", node), node, -1, n.Kill, func() { n.Start() }, time.Time{}}
	case 2:
		return &fault{fmt.Sprintf("node %d cut off", node), node, -1, all((*testkit.Link).Down), all((*testkit.Link).Up), time.Time{}}
	case 3:
		return &fault{fmt.Sprintf("node %d stalled", node), node, -1, all((*testkit.Link).Cut), all((*testkit.Link).Heal), time.Time{}}
	case 4:
		return &fault{fmt.Sprintf("links of node %d reset", node), -1, -1, all((*testkit.Link).Reset), func() {}, time.Time{}}
	}
	if len(c.NATS) == 0 {
		return nil
	}
	server := c.Rand.IntN(len(c.NATS))
	for _, x := range f.current {
		if x.nats >= 0 {
			return nil
		}
	}
	s := c.NATS[server]
	return &fault{fmt.Sprintf("nats %d killed", server), -1, server, s.Kill, func() { s.Start(); s.AwaitAddr(s.Addr) }, time.Time{}}
}

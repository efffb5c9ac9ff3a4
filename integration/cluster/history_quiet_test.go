package cluster

import (
	"sync"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

const (
	// mayLag is how long a snapshot may lack what was acknowledged before, because a replica of the store lags (guarantees.md G38).
	mayLag = 2 * time.Second
	// settles is how long after the end of a fault that is promised again: a node has found its NATS, and has had mayLag.
	settles = 2*time.Second + mayLag

	restEvery  = 20 * time.Second
	restLength = settles + time.Second
)

// quiet knows for each node whether a fault hampers it. It may be used from any goroutine.
type quiet struct {
	mesh bool

	mu    sync.Mutex // guards nodes
	nodes []unrest
}

// unrest is how many faults hamper a node now, and when the last one ended.
type unrest struct {
	faults int
	ended  time.Time
}

func newQuiet(c *testkit.Cluster) *quiet {
	return &quiet{mesh: c.Mode == testkit.Mesh, nodes: make([]unrest, len(c.Nodes))}
}

// disturb notes a fault that is about to begin.
func (q *quiet) disturb(x *fault) {
	q.each(x, func(u *unrest) { u.faults++ })
}

// settle notes that a fault has ended.
func (q *quiet) settle(x *fault) {
	q.each(x, func(u *unrest) { u.faults, u.ended = u.faults-1, time.Now() })
}

// each goes over the nodes that a fault hampers: its own where the others' have a store between them, else all.
func (q *quiet) each(x *fault, do func(*unrest)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.nodes {
		if x.node == i || x.node < 0 || q.mesh {
			do(&q.nodes[i])
		}
	}
}

// lasts tells whether nothing has hampered a node for so long.
func (q *quiet) lasts(n *testkit.Node, d time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.nodes[n.Index]
	return u.faults == 0 && time.Since(u.ended) > d
}

package cluster

import (
	"sync"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

const (
	// mayLag is how long a snapshot may lack what was acknowledged before, because a replica of the store lags (guarantees.md G38).
	mayLag = 2 * time.Second
	// settles is how long after its first acknowledgement since a fault a node must have caught up: mayLag, and a second for a machine
	// with few cores.
	settles = mayLag + time.Second

	restEvery = 20 * time.Second
)

// quiet knows for each node whether a fault hampers it. It may be used from any goroutine.
type quiet struct {
	mesh bool

	mu    sync.Mutex // guards nodes
	nodes []unrest
}

// unrest is how many faults hamper a node now, and when it has acknowledged an update after the last one: a store without a leader
// hampers it longer than the fault lasts.
type unrest struct {
	faults int
	ended  time.Time // of the last one
	works  time.Time // zero: not yet
}

func newQuiet(c *testkit.Cluster) *quiet {
	return &quiet{mesh: c.Mode == testkit.Mesh, nodes: make([]unrest, len(c.Nodes))}
}

// disturb notes a fault that is about to begin.
func (q *quiet) disturb(x *fault) {
	q.each(x, func(u *unrest) { u.faults, u.works = u.faults+1, time.Time{} })
}

// settle notes that a fault has ended.
func (q *quiet) settle(x *fault) {
	q.each(x, func(u *unrest) { u.faults, u.ended, u.works = u.faults-1, time.Now(), time.Time{} })
}

// acknowledged notes that a node has acknowledged an update that it was sent at this time.
func (q *quiet) acknowledged(n *testkit.Node, sent time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := &q.nodes[n.Index]; u.faults == 0 && u.works.IsZero() && sent.After(u.ended) {
		u.works = time.Now()
	}
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

// lasts tells whether a node has worked for so long with nothing to hamper it.
func (q *quiet) lasts(n *testkit.Node, d time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.nodes[n.Index]
	return u.faults == 0 && !u.works.IsZero() && time.Since(u.works) > d
}

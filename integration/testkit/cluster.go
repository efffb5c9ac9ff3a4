package testkit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mode is a way to run nodes (issue 4, item 5).
type Mode string

// The four ways.
const (
	Embedded Mode = "embedded" // one node with its own NATS, which keeps its store
	Mesh     Mode = "mesh"     // the nodes' embedded servers form one NATS cluster
	Single   Mode = "single"   // one external NATS server
	Three    Mode = "three"    // three external NATS servers, buckets on all of them
)

// Modes are all of them.
var Modes = []Mode{Embedded, Mesh, Single, Three}

// Cluster is some nodes with what they need. Between each node and each NATS server, and between each two nodes of a mesh, stands a
// Link: Links[from][to], nil where there is none.
type Cluster struct {
	*Env
	Mode    Mode
	Nodes   []*Node
	NATS    []*NATSServer
	Links   [][]*Link
	Backend *Authority
	Seed    uint64
	Rand    *rand.Rand // not to be used by several goroutines

	start time.Time
	mu    sync.Mutex // guards log
	log   strings.Builder
}

// ClusterOptions says what differs from the usual.
type ClusterOptions struct {
	Nodes int    // default: 1 embedded, 2 in a mesh, else 3
	Pool  string // further lines of the session pool main, indented by four spaces
	More  string // further lines of the configuration
}

// Cluster starts a cluster and waits until all nodes are ready and, with several, know each other.
func (e *Env) Cluster(mode Mode, o ClusterOptions) *Cluster {
	e.T.Helper()
	c := &Cluster{Env: e, Mode: mode, Seed: seed(e.T), start: time.Now()}
	c.Rand = c.NewRand(0)
	c.Backend = newAuthority(e.Backend("BACKEND"))
	if o.Nodes == 0 {
		o.Nodes = map[Mode]int{Embedded: 1, Mesh: 2}[mode]
	}
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	e.T.Cleanup(func() {
		if e.T.Failed() {
			c.mu.Lock()
			defer c.mu.Unlock()
			e.T.Logf("SWINDON_TEST_SEED=%d replays the choices. What was done:\n%s", c.Seed, c.log.String())
		}
	})
	if count := map[Mode]int{Single: 1, Three: 3}[mode]; count > 0 {
		c.NATS = e.NATSServers(count)
	}
	for i := range o.Nodes {
		c.Nodes = append(c.Nodes, c.newNode(i))
	}
	c.link()
	for _, n := range c.Nodes {
		n.configure(o)
		n.Start()
	}
	for _, n := range c.Nodes {
		n.AwaitReady(200)
	}
	c.meet()
	c.Logf("%d nodes, mode %s", o.Nodes, mode)
	return c
}

// seed is SWINDON_TEST_SEED, or new.
func seed(t testing.TB) uint64 {
	text := os.Getenv("SWINDON_TEST_SEED")
	if text == "" {
		return rand.Uint64()
	}
	s, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SWINDON_TEST_SEED: %v", err)
	}
	return s
}

// NewRand makes a source of its own for one goroutine; the same number gives the same choices with the same seed.
func (c *Cluster) NewRand(number uint64) *rand.Rand { return rand.New(rand.NewPCG(c.Seed, number)) }

// Logf notes what was done; the notes are shown when the test fails.
func (c *Cluster) Logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(&c.log, "%8.3f "+format+"\n", append([]any{time.Since(c.start).Seconds()}, args...)...)
}

// link puts the relays between. SWINDON_TEST_DELAY makes each piece of data on them wait so long, as a network does.
func (c *Cluster) link() {
	c.Links = make([][]*Link, len(c.Nodes))
	for i, n := range c.Nodes {
		switch c.Mode {
		case Mesh:
			c.Links[i] = make([]*Link, len(c.Nodes))
			for j, other := range c.Nodes {
				if i != j {
					c.Links[i][j] = n.Link(fmt.Sprintf("LINK%d", j), other.Addr("REPL"))
				}
			}
		case Single, Three:
			for j, s := range c.NATS {
				c.Links[i] = append(c.Links[i], n.Link(fmt.Sprintf("LINK%d", j), s.Addr))
			}
		case Embedded:
		}
	}
	if text := os.Getenv("SWINDON_TEST_DELAY"); text != "" {
		delay, err := time.ParseDuration(text)
		if err != nil {
			c.T.Fatalf("SWINDON_TEST_DELAY: %v", err)
		}
		for i := range c.Nodes {
			for _, l := range c.LinksOf(i) {
				l.Delay(delay)
			}
		}
	}
}

// LinksOf are all links that a node's traffic with others takes.
func (c *Cluster) LinksOf(node int) []*Link {
	var links []*Link
	for i := range c.Links {
		for j, l := range c.Links[i] {
			if l != nil && (i == node || c.Mode == Mesh && j == node) {
				links = append(links, l)
			}
		}
	}
	return links
}

// Isolate breaks all links of a node so that everybody notices. In a mesh of more than two nodes others may have told each other of
// ways around the links: isolate only in meshes of two.
func (c *Cluster) Isolate(node int) {
	c.Logf("links of node %d down", node)
	for _, l := range c.LinksOf(node) {
		l.Down()
	}
}

// Rejoin undoes Isolate.
func (c *Cluster) Rejoin(node int) {
	c.Logf("links of node %d up", node)
	for _, l := range c.LinksOf(node) {
		l.Up()
	}
}

// meet waits until every node can command connections of every other. Nobody tells this but a command that arrives.
func (c *Cluster) meet() {
	c.T.Helper()
	if len(c.Nodes) < 2 {
		return
	}
	for i, owner := range c.Nodes {
		v := c.Visit(owner, fmt.Sprintf("meet%d", i))
		for j, n := range c.Nodes {
			if i != j {
				c.awaitKnown(n, v.ID)
			}
		}
		v.Leave()
	}
}

// awaitKnown waits until a node finds the owner of a connection.
func (c *Cluster) awaitKnown(n *Node, id string) {
	c.T.Helper()
	Eventually(c.T, "node "+n.Name+" reaches the owner of "+id, func() bool {
		r, err := n.API(context.Background(), "PUT", "/v1/connection/"+id+"/subscriptions/meet", "")
		return err == nil && r.StatusCode == 204 && r.Header.Get("X-Swindon-Warning") == ""
	})
}

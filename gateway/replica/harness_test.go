package replica_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

const ns = names.Namespace("desk.queues")

// fataler is what testing.T and rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func space() names.Space {
	s, err := names.NewSpace("sw", "main")
	if err != nil {
		panic(err)
	}
	return s
}

// cluster is several nodes on one network, inside a bubble.
type cluster struct {
	t      fataler
	net    *memory.Network
	mesh   bool
	cfg    replica.Config
	limits lattice.Limits
	nodes  []*node
	made   int
	// fault is asked for every message that a node sends; see setFault.
	fault atomic.Pointer[func(from *node, m port.Message) bool]
	// unmet makes nodes that start now wait, until it is false again.
	unmet atomic.Bool
}

// newBenchCluster is one node outside of a bubble.
func newBenchCluster(t fataler) *cluster {
	c := &cluster{t: t, net: memory.NewNetwork(0), cfg: replica.DefaultConfig(), limits: lattice.DefaultLimits()}
	c.nodes = append(c.nodes, c.start())
	return c
}

func newCluster(t fataler, mesh bool, n int) *cluster { return newSized(t, mesh, n, 0) }

// newSized is newCluster on a network that bounds messages and documents.
func newSized(t fataler, mesh bool, n int, maxPayload int64) *cluster {
	c := &cluster{t: t, net: memory.NewNetwork(maxPayload), mesh: mesh, cfg: replica.DefaultConfig(), limits: lattice.DefaultLimits()}
	for range n {
		c.nodes = append(c.nodes, c.start())
	}
	synctest.Wait()
	if mesh {
		time.Sleep(time.Second) // they load from each other
	}
	return c
}

// latest is the greater of two records.
func latest(a, b []byte) []byte { return slices.MaxFunc([][]byte{a, b}, slices.Compare) }

// node is one Set with its bus and a live table.
type node struct {
	c    *cluster
	id   names.NodeID
	bus  *memory.Bus
	set  *replica.Set
	m    *replica.Metrics
	undo func()
	quit context.CancelFunc

	mu      sync.Mutex // guards the following
	heard   map[names.NodeID]time.Time
	records []string
	lost    int
}

func (n *node) RecordHeard(u names.UserID, value []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records = append(n.records, fmt.Sprintf("%s=%s", u, value))
}

func (n *node) RecordsLost() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost++
}

func (n *node) allRecords() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.records)
}

func (n *node) lastRecord() string {
	all := n.allRecords()
	return all[len(all)-1]
}

func (n *node) live() (out []names.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, at := range n.heard {
		if time.Since(at) < 3*time.Second {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (c *cluster) start() *node {
	c.t.Helper()
	c.made++
	n := &node{c: c, id: names.NodeID(fmt.Sprintf("node%028d", c.made)), heard: map[names.NodeID]time.Time{}, m: &replica.Metrics{}}
	n.bus = c.net.Join()
	d := replica.Deps{
		Node: n.id, Space: space(), Bus: n.bus, Live: n.live, Sink: n, Log: slog.New(slog.DiscardHandler), Metrics: n.m,
		Limits:      func() lattice.Limits { return c.limits },
		Met:         func() bool { return !c.unmet.Load() },
		JoinRecords: latest, RestoreRecords: latest,
	}
	if !c.mesh {
		d.Store = n.bus.Store("main")
	}
	var err error
	if n.set, err = replica.New(d, c.cfg); err != nil {
		c.t.Fatalf("New: %v", err)
	}
	n.bus.OnGap(n.set.Gap)
	n.bus.SetDrop(func(m port.Message) bool { f := c.fault.Load(); return f != nil && (*f)(n, m) })
	s := space()
	stop, err := n.bus.Intake([]string{s.Announcements(), s.Loads(), s.Nodes("viewers"), s.Nodes("beat")}, nil, n.hear)
	if err != nil {
		c.t.Fatalf("Intake: %v", err)
	}
	n.undo = stop
	// The others know of it before it begins.
	for _, o := range c.nodes {
		o.see(n.id)
		n.see(o.id)
	}
	if err := n.set.Start(context.Background()); err != nil {
		c.t.Fatalf("Start: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.quit = cancel
	go n.beat(ctx)
	return n
}

func (n *node) see(id names.NodeID) {
	n.mu.Lock()
	n.heard[id] = time.Now()
	n.mu.Unlock()
}

func (n *node) hear(m port.Message) {
	s := space()
	from := names.NodeID(m.Header.Get(port.HeaderNode))
	if from == n.id {
		return
	}
	switch {
	case m.Subject == s.Nodes("viewers"):
		n.set.HearViewers(m)
	case m.Subject == s.Nodes("beat"):
		n.see(from)
		n.set.HearBeat(from, m.Data)
	case strings.HasPrefix(m.Subject, s.Root()+".load."):
		n.set.HearLoad(m)
	default:
		n.set.Hear(m)
	}
}

func (n *node) beat(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		body := append(n.set.BeatFields([]byte(`{"seq":1`)), '}')
		if jsontext.Check(body) != nil {
			panic(string(body))
		}
		_ = n.bus.Publish(port.Message{Subject: space().Nodes("beat"), Header: port.Header{port.HeaderNode: {string(n.id)}}, Data: body})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// stop ends a node; kill loses what it has not sent.
func (n *node) stop() {
	n.quit()
	n.set.Stop()
	n.undo()
	n.c.nodes = slices.DeleteFunc(n.c.nodes, func(o *node) bool { return o == n })
}

func (n *node) kill() {
	n.bus.SetDown(true)
	n.stop()
}

func (c *cluster) stop() {
	for len(c.nodes) > 0 {
		c.nodes[0].stop()
	}
}

func parse(t fataler, body string) *lattice.Delta {
	t.Helper()
	d, err := lattice.ParseDelta([]byte(body), time.Now().UnixMilli(), lattice.DefaultLimits())
	if err != nil {
		t.Fatalf("delta %s: %v", body, err)
	}
	return d
}

func (n *node) try(body string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return n.set.Update(ctx, ns, parse(n.c.t, body))
}

func (n *node) update(body string) {
	n.c.t.Helper()
	if err := n.try(body); err != nil {
		n.c.t.Fatalf("update %s: %v", body, err)
	}
}

// client is a connection: what it was told, and its state as it works it out of that.
type client struct {
	node *node
	user names.UserID
	view *replica.View

	mu     sync.Mutex // guards the following
	frames []string
	state  map[string]map[string]string
}

func (c *client) Changed(ch *replica.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, string(ch.Data))
	c.merge(ch.Data)
}

// merge takes a frame in as a client does: key by key, variable by variable, sets are joined.
func (c *client) merge(data []byte) {
	if err := jsontext.Check(data); err != nil {
		panic(string(data))
	}
	jsontext.Members(data, func(k []byte, vars jsontext.Value) bool {
		key := c.state[string(k)]
		if key == nil {
			key = map[string]string{}
			c.state[string(k)] = key
		}
		jsontext.Members(vars, func(name []byte, v jsontext.Value) bool {
			was, ok := key[string(name)]
			if now := joinText(string(name), was, string(v)); !ok || now != was {
				key[string(name)] = now
			}
			return true
		})
		return true
	})
}

// joinText joins two values of a variable in their text forms.
func joinText(name, a, b string) string {
	one := func(v string) lattice.State {
		if v == "" {
			return lattice.State{}
		}
		s, err := lattice.ParseState([]byte(fmt.Sprintf(`{%q:%s}`, name, v)))
		if err != nil {
			panic(err)
		}
		return s
	}
	x, y := one(a), one(b)
	x.Merge(&y)
	for _, v := range x.All() {
		return string(v.Append(nil))
	}
	return ""
}

// open has a user look at the namespace on a node.
func (n *node) open(user names.UserID) *client {
	n.c.t.Helper()
	c, err := n.tryOpen(user)
	if err != nil {
		n.c.t.Fatalf("open for %s: %v", user, err)
	}
	return c
}

func (n *node) tryOpen(user names.UserID) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	v, err := n.set.Open(ctx, ns, user)
	if err != nil {
		return nil, err
	}
	c := &client{node: n, user: user, view: v, state: map[string]map[string]string{}}
	v.Attach(c, func(s []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.frames = append(c.frames, "="+string(s))
		c.merge(s)
	})
	return c, nil
}

func (c *client) close() {
	c.view.Detach(c)
	c.view.Close()
}

// take returns the frames that have come since.
func (c *client) take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.frames
	c.frames = nil
	return f
}

func (c *client) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := c.take(); !slices.Equal(got, want) {
		t.Errorf("frames of %s: %q, want %q", c.user, got, want)
	}
}

// text is the client's state in a form to compare.
func (c *client) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stateText(c.state)
}

func stateText(state map[string]map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(state)) {
		fmt.Fprintf(&b, "%s{", k)
		for _, name := range slices.Sorted(maps.Keys(state[k])) {
			fmt.Fprintf(&b, "%s=%s ", name, state[k][name])
		}
		b.WriteString("} ")
	}
	return b.String()
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// cluster is some Trackers over one store, with everything between them that can break. It lives in a synctest bubble.
type cluster struct {
	t     *testing.T
	start time.Time
	cfg   Config
	quit  chan struct{}
	wg    sync.WaitGroup
	// wait is what a notice takes, down makes all of them fail.
	wait time.Duration
	down bool

	mu    sync.Mutex // guards all below and the nodes' fields
	nodes []*node
	made  int
	store map[names.UserID]*stored
	// skewed: the nodes have clocks of their own, which judge cannot know.
	skewed bool
	// mute: announcements are lost.
	mute bool
	// sending and most are the requests under way, now and at most.
	sending, most int
	history       map[names.UserID][]commit
	sent          map[names.UserID][]sending
	purges        map[names.UserID][]time.Duration
	scans         int
	// private are the users with private data, searches how often those were searched.
	private  map[names.UserID]bool
	searches int
	// mesh: each node has its own copy, and a change is joined and told to all that can hear it.
	mesh bool
	// troubles are the times at which something broke.
	troubles []time.Duration
	// forgotten are the times at which the store was lost. From then on judge has nothing to compare with.
	forgotten []time.Duration
	// wishes are the deadlines that clients have asked for.
	wishes map[names.UserID]map[int64]bool
}

type stored struct {
	value []byte
	rev   int
	ttl   time.Duration
}

// commit is a change of the store.
type commit struct {
	at       time.Duration
	rec      Record
	by       names.NodeID
	replaced string // a notice that was still to be sent
}

// sending is one request to the handler.
type sending struct {
	id       string
	by       names.NodeID
	at       time.Duration
	answered bool
}

// node is one node of a cluster.
type node struct {
	c    *cluster
	id   names.NodeID
	t    *Tracker
	gone bool
	cut  bool
	skew time.Duration // of the node's clock
	// cutAt is when cut changed.
	cutAt time.Duration
	// lose is the number of answers of the store that will be lost; slow is what each access takes.
	lose  int
	slow  time.Duration
	seen  map[names.NodeID]time.Duration
	local map[names.UserID]*localUser
	heard map[names.UserID][]Status
	own   map[names.UserID]*stored // in a mesh
}

type localUser struct {
	conns int
	until int64
	// at is when until or conns last grew.
	at time.Duration
}

func newCluster(t *testing.T, nodes int, mesh bool) *cluster {
	t.Helper()
	c := &cluster{
		t: t, start: time.Now(), cfg: Config{PrivateGrace: time.Minute, Notices: true}, quit: make(chan struct{}),
		store: map[names.UserID]*stored{}, history: map[names.UserID][]commit{}, sent: map[names.UserID][]sending{},
		purges: map[names.UserID][]time.Duration{}, wait: 5 * time.Millisecond, mesh: mesh,
		wishes: map[names.UserID]map[int64]bool{}, private: map[names.UserID]bool{},
	}
	for range nodes {
		c.add()
	}
	c.wg.Go(c.beat)
	return c
}

func (c *cluster) add() *node {
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	n := &node{
		c: c, id: nodeID(c.made), seen: map[names.NodeID]time.Duration{}, local: map[names.UserID]*localUser{},
		heard: map[names.UserID][]Status{}, own: map[names.UserID]*stored{}, slow: time.Millisecond,
	}
	c.made++
	for _, o := range c.nodes {
		if c.mesh && o.reach() {
			for u, s := range o.own {
				n.own[u] = &stored{value: JoinRecords(n.cell(u).value, s.value)}
			}
		}
	}
	c.nodes = append(c.nodes, n)
	c.beatOnce()
	c.mu.Unlock()
	n.t = New(Deps{
		Node: n.id, Records: n, Live: n.live, Dead: n.dead, Ask: n.ask, Local: n.localOf, Notify: n.notify,
		Changed: n.changed, Config: c.config, IDs: ident.New(time.Now),
		Log: slog.New(slog.DiscardHandler), Metrics: m, Now: n.now,
	})
	n.t.Start()
	return n
}

func (c *cluster) config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg
}

func (c *cluster) troubled() { c.troubles = append(c.troubles, c.now()) }

// calm tells that nothing broke for so long before now.
func (c *cluster) calm(d time.Duration) bool {
	for _, n := range c.nodes {
		if n.cut && !n.gone {
			return false
		}
	}
	return len(c.troubles) == 0 || c.now()-c.troubles[len(c.troubles)-1] > d
}

func (c *cluster) wish(u names.UserID, until int64) {
	if c.wishes[u] == nil {
		c.wishes[u] = map[int64]bool{}
	}
	c.wishes[u][until] = true
}

func (c *cluster) now() time.Duration { return time.Since(c.start) }

func (c *cluster) beat() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	beats := 0
	for {
		select {
		case <-tick.C:
		case <-c.quit:
			return
		}
		c.mu.Lock()
		c.beatOnce()
		if beats++; c.mesh && beats%5 == 0 {
			for _, n := range c.nodes {
				if n.reach() {
					n.meshHeal() // differing digests
				}
			}
		}
		c.mu.Unlock()
	}
}

func (c *cluster) beatOnce() {
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			if a != b && a.reach() && b.reach() {
				a.seen[b.id] = c.now()
			}
		}
	}
}

func (n *node) now() time.Time {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return time.Now().Add(n.skew)
}

func (n *node) reach() bool { return !n.gone && !n.cut }

// close stops all nodes that are left.
func (c *cluster) close() {
	for _, n := range c.nodes {
		if !n.gone {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			n.t.Stop(ctx)
			cancel()
		}
	}
	close(c.quit)
	c.wg.Wait()
}

// kill ends a node without a farewell.
func (n *node) kill() {
	n.c.mu.Lock()
	n.gone = true
	n.c.troubled()
	n.c.mu.Unlock()
	n.t.mu.Lock()
	n.t.stopped = true
	n.t.mu.Unlock()
	n.t.cancel()
	n.t.wg.Wait()
}

func (n *node) setCut(cut bool) {
	n.c.mu.Lock()
	n.cut, n.cutAt = cut, n.c.now()
	n.c.troubled()
	if !cut && n.c.mesh {
		n.meshHeal()
	}
	n.c.mu.Unlock()
	if !cut {
		n.t.Gap()
	}
}

func (n *node) live() (out []names.NodeID) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	for id, at := range n.seen {
		if n.c.now()-at <= 3*time.Second {
			out = append(out, id)
		}
	}
	return out
}

func (n *node) dead(id names.NodeID) bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	at, ok := n.seen[id]
	return !ok || n.c.now()-at >= 10*time.Second
}

func (n *node) ask(ctx context.Context, u names.UserID) (until int64, conns int, err error) {
	live := n.live()
	n.c.mu.Lock()
	missing := false
	for _, o := range n.c.nodes {
		if l := o.local[u]; o != n && o.reach() && n.reach() && l != nil && l.conns > 0 {
			until, conns = max(until, l.until), conns+l.conns
		}
		for _, id := range live {
			missing = missing || id == o.id && (!o.reach() || !n.reach())
		}
	}
	n.c.mu.Unlock()
	if missing {
		<-ctx.Done()
		return until, conns, port.ErrTimeout
	}
	return until, conns, nil
}

func (n *node) localOf(u names.UserID) (until int64, conns int) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if l := n.local[u]; l != nil {
		return l.until, l.conns
	}
	return 0, 0
}

func (n *node) notify(ctx context.Context, u names.UserID, id string) error {
	n.c.mu.Lock()
	if n.gone {
		n.c.mu.Unlock()
		return errors.New("dead")
	}
	n.c.sent[u] = append(n.c.sent[u], sending{id: id, by: n.id, at: n.c.now()})
	i, down := len(n.c.sent[u])-1, n.c.down
	n.c.sending++
	n.c.most = max(n.c.most, n.c.sending)
	n.c.mu.Unlock()
	defer func() {
		n.c.mu.Lock()
		n.c.sending--
		n.c.mu.Unlock()
	}()
	select {
	case <-time.After(n.c.wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	if down {
		return errors.New("backend is down")
	}
	n.c.mu.Lock()
	n.c.sent[u][i].answered = true
	n.c.mu.Unlock()
	return nil
}

func (n *node) changed(u names.UserID, s Status) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	h := n.heard[u]
	if len(h) > 0 && (h[len(h)-1].Version >= s.Version || h[len(h)-1].State == s.State) {
		n.c.t.Errorf("%s hears %v after %v", n.id, s, h[len(h)-1])
	}
	n.heard[u] = append(h, s)
}

// join is what a session pool does with a new connection.
func (n *node) join(u names.UserID, idle time.Duration) error {
	until := n.now().Add(idle).UnixMilli()
	n.c.mu.Lock()
	l := n.local[u]
	if l == nil {
		l = &localUser{}
		n.local[u] = l
	}
	l.conns++
	l.until, l.at = max(l.until, until), n.c.now()
	n.c.wish(u, until)
	n.c.mu.Unlock()
	return n.t.Joined(context.Background(), u, until)
}

func (n *node) part(u names.UserID) {
	n.c.mu.Lock()
	l := n.local[u]
	last := l != nil && l.conns == 1
	if l != nil && l.conns > 0 {
		l.conns--
	}
	n.c.mu.Unlock()
	if last {
		n.t.Parted(u)
	}
}

func (n *node) active(u names.UserID, idle time.Duration) {
	until := n.now().Add(idle).UnixMilli()
	n.c.mu.Lock()
	l := n.local[u]
	here := l != nil && l.conns > 0
	if here {
		l.until, l.at = max(l.until, until), n.c.now()
		n.c.wish(u, until)
	}
	n.c.mu.Unlock()
	if here {
		n.t.Active(u, until)
	}
}

// record is what the store holds (in a mesh: what this node does).
func (n *node) record(u names.UserID) Record {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	r, err := Parse(n.cell(u).value)
	if err != nil {
		n.c.t.Error(err)
	}
	return r
}

func (c *cluster) state(u names.UserID) State {
	for _, n := range c.nodes {
		if !n.gone {
			return n.record(u).State
		}
	}
	return Offline
}

func (c *cluster) want(u names.UserID, s State) {
	c.t.Helper()
	if got := c.state(u); got != s {
		c.t.Errorf("%v: %s is %v, want %v", c.now(), u, got, s)
	}
}

// ids are the request ids of a user's notices, in order, each once.
func (c *cluster) ids(u names.UserID) (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	for _, s := range c.sent[u] {
		if !seen[s.id] {
			out = append(out, s.id)
		}
		seen[s.id] = true
	}
	return out
}

func (c *cluster) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ""
	for u, h := range c.history {
		for _, m := range h {
			s += fmt.Sprintf("%s %12v %.5s %s\n", u, m.at, m.by, m.rec.AppendText(nil))
		}
		s += fmt.Sprintf("%s sent: %v\n", u, c.sent[u])
	}
	return s
}

// stop ends a node as a session pool does: its connections leave first.
func (n *node) stop() {
	n.c.mu.Lock()
	var left []names.UserID
	for u, l := range n.local {
		if l.conns > 0 {
			l.conns = 0
			left = append(left, u)
		}
	}
	n.c.mu.Unlock()
	for _, u := range left {
		n.t.Parted(u)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n.t.Stop(ctx)
	n.c.mu.Lock()
	n.gone = true
	n.c.troubled()
	for _, o := range n.c.nodes {
		delete(o.seen, n.id) // the farewell
	}
	n.c.mu.Unlock()
}

// sleep lets time pass and everything come to rest. It also orders the test's own accesses with those of the nodes.
func (c *cluster) sleep(d time.Duration) {
	c.mu.Lock()
	c.mu.Unlock() //nolint:staticcheck // a barrier
	time.Sleep(d)
	synctest.Wait()
	c.mu.Lock()
	c.mu.Unlock() //nolint:staticcheck // a barrier
}

package presence_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// whole is Trackers over the real replica.Set, on a network in memory.
type whole struct {
	space names.Space
	nodes []*real

	mu   sync.Mutex // guards sent and the nodes' maps
	sent []string
}

type real struct {
	w    *whole
	id   names.NodeID
	bus  *memory.Bus
	set  *replica.Set
	t    *presence.Tracker
	seen map[names.NodeID]time.Time
	here map[names.UserID]int64
	told []string
	down bool
	end  func()
}

func (w *whole) start(t *testing.T, net *memory.Network, mesh bool) *real {
	t.Helper()
	n := &real{
		w: w, id: names.NodeID(fmt.Sprintf("node%028d", len(w.nodes))), bus: net.Join(),
		seen: map[names.NodeID]time.Time{}, here: map[names.UserID]int64{},
	}
	m, err := presence.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	d := replica.Deps{
		Node: n.id, Space: w.space, Bus: n.bus, Live: n.live, Sink: n, Log: slog.New(slog.DiscardHandler),
		Metrics: &replica.Metrics{}, Limits: lattice.DefaultLimits, JoinRecords: presence.JoinRecords,
		RestoreRecords: presence.RestoreRecords,
	}
	if !mesh {
		d.Store = n.bus.Store("main")
	}
	if n.set, err = replica.New(d, replica.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	n.t = presence.New(presence.Deps{
		Node: n.id, Records: n.set, Live: n.live, Dead: n.dead, Ask: n.ask, Local: n.local, Metrics: m, Now: time.Now,
		Notify: func(_ context.Context, u names.UserID, id string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sent = append(w.sent, string(u)+" "+id)
			return nil
		},
		Changed: func(u names.UserID, s presence.Status) {
			w.mu.Lock()
			defer w.mu.Unlock()
			n.told = append(n.told, string(u)+" "+s.State.String())
		},
		Config: func() presence.Config { return presence.Config{PrivateGrace: time.Minute, Notices: true} },
		IDs:    ident.New(time.Now), Log: slog.New(slog.DiscardHandler),
	})
	n.bus.OnGap(func(reason string) { n.set.Gap(reason); n.t.Gap() })
	for _, o := range w.nodes {
		o.see(n.id)
		n.see(o.id)
	}
	w.nodes = append(w.nodes, n)
	stop, err := n.bus.Intake([]string{w.space.Announcements(), w.space.Loads(), w.space.Nodes("beat")}, nil, n.hear)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.set.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.t.Start()
	ctx, cancel := context.WithCancel(context.Background())
	go n.beat(ctx)
	n.end = func() { cancel(); n.set.Stop(); stop() }
	synctest.Wait()
	return n
}

func (n *real) RecordHeard(u names.UserID, value []byte) { n.t.RecordHeard(u, value) }
func (n *real) RecordsLost()                             { n.t.RecordsLost() }

func (n *real) hear(m port.Message) {
	from := names.NodeID(m.Header.Get(port.HeaderNode))
	switch {
	case from == n.id:
	case m.Subject == n.w.space.Nodes("beat"):
		n.see(from)
		n.set.HearBeat(from, m.Data)
	case strings.HasPrefix(m.Subject, n.w.space.Root()+".load."):
		n.set.HearLoad(m)
	default:
		n.set.Hear(m)
	}
}

func (n *real) beat(ctx context.Context) {
	for ctx.Err() == nil {
		body := append(n.set.BeatFields([]byte(`{"seq":1`)), '}')
		_ = n.bus.Publish(port.Message{
			Subject: n.w.space.Nodes("beat"), Header: port.Header{port.HeaderNode: {string(n.id)}}, Data: body,
		})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (n *real) see(id names.NodeID) {
	n.w.mu.Lock()
	n.seen[id] = time.Now()
	n.w.mu.Unlock()
}

func (n *real) live() (out []names.NodeID) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for id, at := range n.seen {
		if time.Since(at) <= 3*time.Second {
			out = append(out, id)
		}
	}
	return out
}

func (n *real) dead(id names.NodeID) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return time.Since(n.seen[id]) >= 10*time.Second
}

func (n *real) ask(_ context.Context, u names.UserID) (until int64, conns int, err error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, o := range n.w.nodes {
		if at, ok := o.here[u]; ok && o != n && !o.down {
			until, conns = max(until, at), conns+1
		}
	}
	return until, conns, nil
}

func (n *real) local(u names.UserID) (until int64, conns int) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if at, ok := n.here[u]; ok {
		return at, 1
	}
	return 0, 0
}

func (n *real) join(t *testing.T, u names.UserID, idle time.Duration) {
	t.Helper()
	until := time.Now().Add(idle).UnixMilli()
	n.w.mu.Lock()
	n.here[u] = until
	n.w.mu.Unlock()
	if err := n.t.Joined(t.Context(), u, until); err != nil {
		t.Errorf("Joined: %v", err)
	}
}

func (n *real) status(t *testing.T, u names.UserID) string {
	t.Helper()
	s, err := n.t.Statuses(t.Context(), []names.UserID{u})
	if err != nil {
		t.Errorf("Statuses: %v", err)
		return ""
	}
	return s[0].State.String()
}

// TestOverReplica: the whole way over store and announcements: active at once on the other nodes, one notice, a dead
// node's users.
func TestOverReplica(t *testing.T) {
	t.Parallel()
	for name, mesh := range map[string]bool{"store": false, "mesh": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				space, err := names.NewSpace("sw", "main")
				if err != nil {
					t.Fatal(err)
				}
				w := &whole{space: space}
				net := memory.NewNetwork(0)
				for range 3 {
					w.start(t, net, mesh)
				}
				time.Sleep(11 * time.Second)
				a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
				b.t.Follow("ann")
				if s := b.status(t, "ann"); s != "offline" {
					t.Errorf("unknown: %s", s)
				}
				a.join(t, "ann", 5*time.Second)
				if mesh {
					synctest.Wait() // one node has confirmed it, the other is about to (decision D24)
				}
				for _, n := range w.nodes {
					if s := n.status(t, "ann"); s != "active" {
						t.Errorf("%s, right after the connection: %s", n.id, s)
					}
				}
				c.join(t, "bob", 30*time.Second)
				time.Sleep(6 * time.Second)
				if s := c.status(t, "ann"); s != "inactive" {
					t.Errorf("after the deadline: %s", s)
				}
				w.mu.Lock()
				delete(a.here, "ann")
				c.down = true
				w.mu.Unlock()
				a.t.Parted("ann")
				c.bus.SetDown(true)
				time.Sleep(23 * time.Second)
				if s := a.status(t, "bob"); s != "active" {
					t.Errorf("on a dead node, before the deadline: %s", s)
				}
				time.Sleep(2 * time.Second)
				if s := b.status(t, "bob"); s != "offline" {
					t.Errorf("on a dead node, after the deadline: %s", s)
				}
				time.Sleep(2 * time.Minute)
				w.mu.Lock()
				if got := fmt.Sprint(b.told); got != "[ann active ann inactive ann offline]" {
					t.Errorf("told %s", got)
				}
				// A node that is cut off from its backends' NATS, but lives, may tell them again in a mesh.
				if n := len(w.sent); n < 2 || n > 3 || n == 3 && !mesh {
					t.Errorf("sent %v", w.sent)
				}
				w.mu.Unlock()
				for _, n := range w.nodes {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					n.t.Stop(ctx)
					cancel()
					n.end()
				}
			})
		})
	}
}

// TestFollowedWhileReplicasLag: a node that begins to watch a user reads from a replica that has not heard of the user's
// connection yet. It must not stay in error.
func TestFollowedWhileReplicasLag(t *testing.T) {
	t.Parallel()
	for _, user := range []names.UserID{"u0", "u1", "u2", "u3", "u4", "u5"} { // whoever owns them
		followWhileLagging(t, user)
	}
}

func followWhileLagging(t *testing.T, user names.UserID) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		space, err := names.NewSpace("sw", "main")
		if err != nil {
			t.Fatal(err)
		}
		w := &whole{space: space}
		net := memory.NewNetwork(0)
		a, b := w.start(t, net, false), w.start(t, net, false)
		time.Sleep(11 * time.Second)
		if a.status(t, user); b.status(t, user) != "offline" {
			t.Fatal("unknown, but not offline")
		}
		time.Sleep(time.Second)
		net.Store("main").SetLag(time.Second)
		a.join(t, user, time.Minute)
		time.Sleep(time.Millisecond)
		b.t.Follow(user)
		want := ""
		if b.status(t, user) != "active" { // the owner has listened, the others know what a replica that lags says
			want = string(user) + " active"
		}
		time.Sleep(3 * time.Second)
		w.mu.Lock()
		if got := strings.Join(b.told, ", "); got != want {
			t.Errorf("%s: told %q, want %q", user, got, want)
		}
		w.mu.Unlock()
		for _, n := range w.nodes {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			n.t.Stop(ctx)
			cancel()
			n.end()
		}
	})
}

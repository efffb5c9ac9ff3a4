package replica_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// TestMachine lets nodes write, fail and come back in any order, and looks whether at rest every view is the join of
// all acknowledged updates, and never went backwards before.
func TestMachine(t *testing.T) { t.Parallel(); runMachine(t, false) }

func runMachine(t *testing.T, mesh bool) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			// rapid knows a failure by its panic, which must not end the bubble.
			defer func() { failure = recover() }()
			m := newMachine(rt, mesh)
			defer m.c.stop()
			rt.Repeat(m.actions())
			m.rest(rt)
			m.agree(rt)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"": m.check, "update": m.update, "update2": m.update, "update3": m.update, "open": m.open, "close": m.close,
		"sleep": m.sleep, "drop": m.drop, "cut": m.cut, "heal": m.heal, "restart": m.restart, "burst": m.burst,
		"purge": m.purge,
	}
	if !m.c.mesh {
		actions["lag"], actions["lose answers"], actions["store down"] = m.lag, m.loseAnswers, m.storeDown
		actions["store lost"] = m.storeLost
	}
	return actions
}

type machine struct {
	c     *cluster
	store *memory.Store
	n     int // the last counter given out
	users []names.UserID
	keys  []string
	// acked and tried are the joins of what was acknowledged and of all: the truth lies between them.
	acked, tried view
	clients      []*watched
	down         map[*node]bool
}

// view is a namespace as the model knows it.
type view struct {
	shared  lattice.Keys
	private map[names.UserID]*lattice.Keys
}

func (v *view) merge(d *lattice.Delta) {
	v.shared.Merge(d.Shared)
	for i := range d.Private {
		u := d.Private[i].User
		if v.private[u] == nil {
			v.private[u] = &lattice.Keys{}
		}
		v.private[u].Merge(&d.Private[i].Keys)
	}
}

// seen is what a user sees.
func (v *view) seen(u names.UserID) *lattice.Keys {
	out := &lattice.Keys{}
	for k, st := range v.private[u].All() {
		b := lattice.AppendVisible(nil, st, v.shared.Get(k))
		s, err := lattice.ParseState(b)
		if err != nil {
			panic(err)
		}
		out.Put(k, s)
	}
	return out
}

// watched is a client with the last snapshot that was seen of it.
type watched struct {
	*client
	last lattice.Keys
}

func newMachine(t *rapid.T, mesh bool) *machine {
	c := newCluster(t, mesh, 3)
	if rapid.Bool().Draw(t, "accept") {
		c.cfg.LatticeDegraded = replica.DegradedAccept
		for _, n := range c.nodes {
			n.set.Apply(c.cfg)
		}
	}
	m := &machine{
		c: c, users: []names.UserID{"ann", "bob"}, keys: []string{"k1", "k2", "k3"}, down: map[*node]bool{},
		acked: view{private: map[names.UserID]*lattice.Keys{}}, tried: view{private: map[names.UserID]*lattice.Keys{}},
	}
	m.store = m.c.net.Store("main")
	// Node 0 is never harmed and looks at everything, so that a lost store can be written back.
	body := `{"private":{"ann":{"k1":{},"k2":{},"k3":{}},"bob":{"k1":{}}}}`
	m.c.nodes[0].update(body)
	for _, v := range []*view{&m.acked, &m.tried} {
		v.merge(parse(t, body))
	}
	for _, u := range m.users {
		m.clients = append(m.clients, &watched{client: m.c.nodes[0].open(u)})
	}
	return m
}

func (m *machine) node(t *rapid.T) *node {
	return m.c.nodes[rapid.IntRange(0, len(m.c.nodes)-1).Draw(t, "node")]
}

// victim is any node but the first.
func (m *machine) victim(t *rapid.T) *node {
	return m.c.nodes[rapid.IntRange(1, len(m.c.nodes)-1).Draw(t, "victim")]
}

// delta draws an update in which every value is new.
func (m *machine) delta(t *rapid.T) string {
	vars := func(area string) string {
		m.n++
		return rapid.SampledFrom([]string{
			fmt.Sprintf(`{"%s_counter":%d}`, area, m.n), fmt.Sprintf(`{"%s_set":["e%d","e%d"]}`, area, m.n, m.n/2),
			fmt.Sprintf(`{"%s_register":[%d,%d],"%s_counter":%d}`, area, m.n, m.n, area, m.n), `{}`,
		}).Draw(t, "vars")
	}
	keys := func(area string, n int) string {
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(m.keys), 1, n, rapid.ID[string]).Draw(t, "keys")
		for i, k := range some {
			some[i] = fmt.Sprintf("%q:%s", k, vars(area))
		}
		return "{" + strings.Join(some, ",") + "}"
	}
	user := rapid.SampledFrom(m.users).Draw(t, "user")
	switch rapid.IntRange(0, 2).Draw(t, "area") {
	case 0:
		return `{"shared":` + keys("s", 3) + `}`
	case 1:
		return fmt.Sprintf(`{"private":{%q:%s}}`, user, keys("p", 2))
	}
	return fmt.Sprintf(`{"shared":%s,"private":{%q:%s}}`, keys("s", 2), user, keys("p", 2))
}

func (m *machine) update(t *rapid.T) { m.write(t, m.node(t), m.delta(t)) }

func (m *machine) write(t *rapid.T, n *node, body string) {
	m.settle(t, body, n.try(body))
}

// settle takes the outcome of an update into the model.
func (m *machine) settle(t *rapid.T, body string, err error) {
	m.tried.merge(parse(t, body))
	switch {
	case err == nil:
		m.acked.merge(parse(t, body))
	case !errors.Is(err, port.ErrUnavailable) && !errors.Is(err, port.ErrTimeout):
		t.Fatalf("update %s: %v", body, err)
	}
}

// burst writes from all nodes at the same time.
func (m *machine) burst(t *rapid.T) {
	type outcome struct {
		body string
		err  error
	}
	n := rapid.IntRange(2, 12).Draw(t, "writers")
	got := make(chan outcome, n)
	for i := range n {
		body, at := m.delta(t), m.c.nodes[i%len(m.c.nodes)]
		go func() { got <- outcome{body, at.try(body)} }()
	}
	for range n {
		o := <-got
		m.settle(t, o.body, o.err)
	}
}

func (m *machine) open(t *rapid.T) {
	if len(m.clients) > 8 {
		return
	}
	n, u := m.node(t), rapid.SampledFrom(m.users).Draw(t, "user")
	c, err := n.tryOpen(u)
	if err == nil {
		m.clients = append(m.clients, &watched{client: c})
	} else if !errors.Is(err, port.ErrUnavailable) && !errors.Is(err, port.ErrTimeout) {
		t.Fatalf("open: %v", err)
	}
}

func (m *machine) close(t *rapid.T) {
	if len(m.clients) == 2 {
		return
	}
	i := rapid.IntRange(2, len(m.clients)-1).Draw(t, "client")
	m.clients[i].close()
	m.clients = slices.Delete(m.clients, i, i+1)
}

func (m *machine) sleep(t *rapid.T) {
	time.Sleep(time.Duration(rapid.SampledFrom([]int{1, 50, 400, 1500, 5000, 12000, 70000}).Draw(t, "ms")) * time.Millisecond)
}

// drop loses announcements of a node for a while.
func (m *machine) drop(t *rapid.T) {
	from, every := m.victim(t), rapid.IntRange(1, 3).Draw(t, "every")
	count := 0
	f := func(n *node, msg port.Message) bool {
		if n != from || !strings.Contains(msg.Subject, ".lat.") {
			return false
		}
		count++
		return count%every == 0
	}
	m.c.fault.Store(&f)
}

func (m *machine) cut(t *rapid.T) {
	n := m.victim(t)
	n.bus.SetDown(true)
	m.down[n] = true
}

func (m *machine) heal(*rapid.T) {
	for n := range m.down {
		n.bus.SetDown(false)
	}
	clear(m.down)
	m.c.fault.Store(nil)
	if !m.c.mesh {
		m.store.SetLag(0)
		m.store.SetDown(false)
		m.store.LoseAnswers(0)
	}
}

// restart kills a node; its clients are gone.
func (m *machine) restart(t *rapid.T) {
	n := m.victim(t)
	if m.c.mesh || m.c.cfg.LatticeDegraded == replica.DegradedAccept {
		// A mesh survives one death at a time; what was accepted without the store does not survive at all.
		m.rest(t)
	}
	n.kill()
	delete(m.down, n)
	m.clients = slices.DeleteFunc(m.clients, func(w *watched) bool { return w.node == n })
	m.c.nodes = append(m.c.nodes, m.c.start())
}

func (m *machine) lag(t *rapid.T) {
	m.store.SetLag(time.Duration(rapid.IntRange(0, 500).Draw(t, "lag")) * time.Millisecond)
}

func (m *machine) loseAnswers(t *rapid.T) {
	m.store.LoseAnswers(rapid.IntRange(1, 3).Draw(t, "answers"))
}

func (m *machine) storeDown(*rapid.T) { m.store.SetDown(true) }

// storeLost empties the store, or brings an old copy back, when nothing else is wrong.
func (m *machine) storeLost(t *rapid.T) {
	var saved memory.Backup
	if rapid.Bool().Draw(t, "old copy") {
		saved = m.store.Save()
		m.update(t)
		m.update(t)
	}
	m.rest(t)
	m.store.Restore(saved)
	time.Sleep(30 * time.Second)
}

// purge removes a user's private keys when nothing is wrong: nothing of them may come back.
func (m *machine) purge(t *rapid.T) {
	m.rest(t)
	u := rapid.SampledFrom(m.users).Draw(t, "user")
	if err := m.node(t).purge(u); err != nil {
		t.Fatalf("purge: %v", err)
	}
	synctest.Wait()
	for _, v := range []*view{&m.acked, &m.tried} {
		v.private[u] = &lattice.Keys{}
	}
	for _, w := range m.clients {
		if w.user == u {
			w.last = lattice.Keys{}
			w.mu.Lock()
			w.state = map[string]map[string]string{}
			w.mu.Unlock()
		}
	}
	// Node 0 goes on to look at everything.
	m.write(t, m.c.nodes[0], fmt.Sprintf(`{"private":{%q:{"k1":{},"k2":{},"k3":{}}}}`, u))
}

// rest heals everything and waits.
func (m *machine) rest(t *rapid.T) {
	m.heal(t)
	time.Sleep(90 * time.Second)
	synctest.Wait()
}

// check looks that no view has gone backwards.
func (m *machine) check(t *rapid.T) {
	for _, w := range m.clients {
		now := snapshot(t, w.client)
		before := w.last
		merged := now.Clone()
		if _, more := merged.Merge(&before); more {
			t.Fatalf("view of %s on %s went backwards: %s, then %s", w.user, w.node.id, before.AppendStored(nil), now.AppendStored(nil))
		}
		w.last = now
	}
}

func snapshot(t *rapid.T, c *client) lattice.Keys {
	k, err := lattice.ParseKeys(c.view.Snapshot(nil))
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return k
}

// agree looks at rest that all clients see the same, and that it is the join of what was acknowledged.
func (m *machine) agree(t *rapid.T) {
	for _, n := range m.c.nodes {
		for _, u := range m.users {
			m.clients = append(m.clients, &watched{client: n.open(u)})
		}
	}
	for _, w := range m.clients {
		now := snapshot(t, w.client)
		low, high := m.acked.seen(w.user), m.tried.seen(w.user)
		up := now.Clone()
		if _, more := up.Merge(low); more {
			t.Fatalf("%s on %s lacks what was acknowledged: %s, acknowledged %s", w.user, w.node.id, now.AppendStored(nil), low.AppendStored(nil))
		}
		if _, more := high.Merge(&now); more {
			t.Fatalf("%s on %s sees what nobody wrote: %s", w.user, w.node.id, now.AppendStored(nil))
		}
		if told, shown := w.text(), textOf(w.client); told != shown {
			t.Fatalf("%s on %s was told %s, and sees %s", w.user, w.node.id, told, shown)
		}
		if other := m.clients[slices.Index(m.users, w.user)]; textOf(other.client) != textOf(w.client) {
			t.Fatalf("%s sees %s on %s, and %s on %s", w.user, textOf(w.client), w.node.id, textOf(other.client), other.node.id)
		}
	}
}

// textOf is what a view shows in the form of client.text.
func textOf(c *client) string {
	x := &client{state: map[string]map[string]string{}}
	x.merge(c.view.Snapshot(nil))
	return stateText(x.state)
}

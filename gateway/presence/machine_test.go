package presence

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
)

// latePasses bounds how many ways to the store may lie between a deadline and the commit of its end, in a cluster that
// was calm for longer than any access lasts, so that none has failed. The 200 ms besides are for rests between two works
// and announcements on their way. A write of this user may be under way, which is two ways to its commit and one back. Then a
// compare-and-swap takes two ways to its commit, and two more for each that it loses: against the two other nodes, each
// with a seat to fill, to empty and a notice to claim and to end, eight in all. Each lasts as its node's slow was when it
// began: who changes slow must call troubled.
const latePasses = 3 + 2 + 2*8

// judge looks at each change of the store: is it allowed by what the nodes have at this moment? The cluster's mu is
// held.
func (c *cluster) judge(u names.UserID, before, after *Record) {
	now := c.start.Add(c.now()).UnixMilli()
	bad := func(format string, args ...any) {
		c.t.Errorf("%v %s: %s\n%s\n%s", c.now(), u, fmt.Sprintf(format, args...), before.AppendText(nil), after.AppendText(nil))
	}
	switch {
	case after.State == Active && before.State != Active:
		if !c.wishes[u][after.Until] || after.Until <= before.Until {
			bad("active without a client's activity")
		}
	case before.State == Active && after.State != Active:
		if after.Until > now || before.Until > now {
			bad("expired early")
		}
		var slow time.Duration
		for _, n := range c.nodes {
			slow = max(slow, n.slow)
		}
		if late := now - after.Until; late > 200+latePasses*slow.Milliseconds() && c.calm(15*time.Second) {
			bad("expired %d ms late", late)
		}
		if c.cfg.Notices && (after.Notice.State != NoticeDue || after.Notice.Period != before.Version) {
			bad("expired without a notice")
		}
	case before.State == after.State && after.Notice.Period != before.Notice.Period:
		bad("a notice without an expiry")
	}
	if after.State != Active && after.Until > after.Version || after.torn() {
		bad("torn")
	}
	for _, o := range c.nodes {
		l := o.local[u]
		if o.gone || l == nil || l.conns == 0 || c.now()-l.at < 3*time.Second {
			continue
		}
		gone := after.State == Offline && before.State != Offline
		switch {
		case o.reach() && c.calm(5*time.Second) && gone:
			bad("offline while on %s", o.id)
		case o.reach() && c.calm(5*time.Second) && before.State == Active && after.State != Active && l.until > now:
			bad("expired while %s knows a later deadline", o.id)
		case o.cut && c.now()-o.cutAt < 9*time.Second && gone && before.State == Inactive && before.here(o.id):
			bad("offline although %s was cut off just now", o.id)
		}
	}
}

// action is a step of the machine.
type action struct {
	what       string
	node, user int
	ms         int
}

func (a action) String() string {
	return fmt.Sprintf("%s node%d user%d %dms", a.what, a.node, a.user, a.ms)
}

func anyActions(kinds ...string) *rapid.Generator[[]action] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) action {
		return action{
			what: rapid.SampledFrom(kinds).Draw(t, "what"), node: rapid.IntRange(0, 2).Draw(t, "node"),
			user: rapid.IntRange(0, 2).Draw(t, "user"), ms: rapid.IntRange(0, 15000).Draw(t, "ms"),
		}
	}), 1, 40)
}

// do makes a step; the node is one of those that live.
func (c *cluster) do(a action) {
	var alive []*node
	for _, n := range c.nodes {
		if !n.gone {
			alive = append(alive, n)
		}
	}
	n, u, d := alive[a.node%len(alive)], names.UserID(rune('a'+a.user)), time.Duration(a.ms)*time.Millisecond
	switch a.what {
	case "join":
		if a.ms%4 == 1 {
			c.wg.Go(func() { _ = n.join(u, d+100*time.Millisecond) })
			return
		}
		err := n.join(u, d+100*time.Millisecond)
		c.mu.Lock()
		if err != nil && !n.cut && n.lose == 0 && n.slow < 100*time.Millisecond && c.calm(3*time.Second) {
			c.t.Errorf("%v: %v", a, err)
		}
		c.mu.Unlock()
	case "part":
		n.part(u)
	case "active":
		n.active(u, d)
	case "wait":
		time.Sleep(d)
	case "kill":
		if len(alive) > 1 {
			n.kill()
		}
	case "start":
		if len(alive) < 3 {
			c.add()
		}
	case "cut", "heal":
		if cut := a.what == "cut"; n.cut != cut {
			n.setCut(cut)
		}
	case "lose":
		c.mu.Lock()
		n.lose = 1
		c.mu.Unlock()
	case "slow":
		c.mu.Lock()
		n.slow = d / 20
		c.troubled()
		c.mu.Unlock()
	case "ask":
		_, _ = n.t.Statuses(context.Background(), []names.UserID{u})
	case "forget":
		c.forget()
		for i, o := range alive {
			time.AfterFunc(time.Duration(i)*time.Second+d/4, func() {
				c.mu.Lock()
				c.troubled()
				c.mu.Unlock()
				o.t.RecordsLost()
			})
		}
	case "stop":
		if len(alive) > 1 {
			n.stop()
		}
	}
}

// settle lets everything heal and come to rest.
func (c *cluster) settle() {
	for _, n := range c.nodes {
		if n.cut && !n.gone {
			n.setCut(false)
		}
		c.mu.Lock()
		if n.slow > time.Millisecond {
			c.troubled() // what is under way lasts as long as before
		}
		n.slow, n.lose = time.Millisecond, 0
		c.mu.Unlock()
	}
	time.Sleep(6 * time.Minute)
}

// final checks what must be true in the end.
func (c *cluster) final(strict bool) {
	for i := range 3 {
		u := names.UserID(rune('a' + i))
		want := Offline
		var texts []string
		for _, n := range c.nodes {
			if n.gone {
				continue
			}
			if _, conns := n.localOf(u); conns > 0 {
				want = Inactive
			}
			r := n.record(u)
			texts = append(texts, string(r.AppendText(nil)))
			if h := n.heard[u]; len(h) > 0 && h[len(h)-1].State != r.State {
				c.t.Errorf("%s believes that %s is %v, but it is %v", n.id, u, h[len(h)-1], r.Status)
			}
			for _, s := range r.Seats {
				if s.Here != c.holds(s.Node, u) {
					c.t.Errorf("%s: the seat of %s says %v", u, s.Node, s.Here)
				}
			}
			if r.Notice.pending() {
				c.t.Errorf("%s: the notice is still %v", u, r.Notice)
			}
		}
		if slices.Sort(texts); texts[0] != texts[len(texts)-1] {
			c.t.Errorf("%s: the nodes disagree: %q", u, texts)
		}
		if got := c.state(u); got != want {
			c.t.Errorf("%s is %v, want %v", u, got, want)
		}
		c.mu.Lock()
		if want == Offline && texts[0] != "" && texts[0] != unknown && len(c.wishes[u]) > 0 && len(c.purges[u]) == 0 {
			c.t.Errorf("%s: never purged", u)
		}
		c.mu.Unlock()
		if strict {
			c.notices(u)
		}
	}
	for _, n := range c.nodes {
		if n.gone {
			continue
		}
		n.t.mu.Lock()
		for id, u := range n.t.users {
			if !u.local && u.follow == 0 {
				c.t.Errorf("%s keeps %s in memory: %+v", n.id, id, u)
			}
		}
		if n.t.unsettled != 0 || n.t.touches != 0 || n.t.busy != 0 {
			c.t.Errorf("%s: unsettled %d, touches %d, busy %d", n.id, n.t.unsettled, n.t.touches, n.t.busy)
		}
		n.t.mu.Unlock()
	}
}

const unknown = `{"s":"offline","v":0}`

func (c *cluster) holds(id names.NodeID, u names.UserID) bool {
	for _, n := range c.nodes {
		if _, conns := n.localOf(u); n.id == id && !n.gone && conns > 0 {
			return true
		}
	}
	return false
}

// notices checks that each idle period was told once: one request id each, answered, and sent again only when something
// broke around that time; a period may swallow an earlier one whose sender broke down.
func (c *cluster) notices(u names.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	near := func(at, d time.Duration) bool {
		return slices.ContainsFunc(c.troubles, func(t time.Duration) bool { return t <= at && at-t < d })
	}
	var made []string
	period := map[string]int64{}
	swallowed := map[string]bool{}
	for _, m := range c.history[u] {
		if m.rec.Notice.State == NoticeDue && !slices.Contains(made, m.rec.Notice.ID) {
			made = append(made, m.rec.Notice.ID)
			period[m.rec.Notice.ID] = m.rec.Notice.Period
		}
		if m.replaced != "" {
			swallowed[m.replaced] = true
			if !near(m.at, time.Minute) {
				c.t.Errorf("%s: %v: the notice %s is replaced", u, m.at, m.replaced)
			}
		}
	}
	// In a mesh two nodes may expire a user at once, each with an id; one of them is sent.
	first, answered := map[int64]string{}, map[int64]bool{}
	for _, s := range c.sent[u] {
		p := period[s.id]
		if first[p] != "" && !near(s.at, time.Minute) {
			c.t.Errorf("%s: %v: the notice %s is sent again", u, s.at, s.id)
		}
		if first[p] != "" && first[p] != s.id {
			c.t.Errorf("%s: %v: two ids for one period: %s and %s", u, s.at, first[p], s.id)
		}
		first[p] = s.id
		answered[p] = answered[p] || s.answered
		if !slices.Contains(made, s.id) {
			c.t.Errorf("%s: a notice %s from nowhere", u, s.id)
		}
	}
	for _, id := range made {
		if !answered[period[id]] && !swallowed[id] {
			c.t.Errorf("%s: the notice %s was never answered", u, id)
		}
	}
}

// machine runs lists of actions over three nodes.
func machine(t *testing.T, mesh, strict bool, kinds ...string) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		actions := anyActions(kinds...).Draw(rt, "actions")
		ok := t.Run("", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, mesh)
				defer func() {
					if t.Failed() {
						t.Log("\n" + c.String())
					}
				}()
				defer c.close()
				for i := range 3 {
					for _, n := range c.nodes {
						n.t.Follow(names.UserID(rune('a' + i)))
					}
				}
				time.Sleep(11 * time.Second)
				for _, a := range actions {
					c.do(a)
					if a.ms%2 == 0 { // else at the same time as the next
						time.Sleep(20 * time.Millisecond)
					}
				}
				c.settle()
				c.final(strict)
			})
		})
		if !ok {
			rt.FailNow()
		}
	})
}

func TestMachineStore(t *testing.T) {
	t.Parallel()
	machine(t, false, true, "join", "join", "part", "part", "active", "wait", "wait", "kill", "start", "cut", "heal", "lose", "slow", "stop")
}

func TestMachineCalm(t *testing.T) {
	t.Parallel()
	machine(t, false, true, "join", "join", "part", "part", "active", "wait", "wait")
}

func TestMachineMesh(t *testing.T) {
	t.Parallel()
	machine(t, true, true, "join", "join", "part", "part", "active", "wait", "wait", "kill", "start", "stop")
}

func TestMachineMeshPartition(t *testing.T) {
	t.Parallel()
	machine(t, true, false, "join", "join", "part", "part", "active", "wait", "wait", "kill", "start", "cut", "heal")
}

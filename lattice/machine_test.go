package lattice

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
)

// machine is a network of replicas that loses, repeats and reorders what they tell each other. All of it is in terms of
// the stored text form, as on a real network. The truth is kept by the twin.
type machine struct {
	now   int64
	nodes []*replica
	// cut holds the pairs that do not hear each other, the lower number first.
	cut map[[2]int]bool
	// flying are messages under way; none is older than the last rest.
	flying []message
	// truth is the join of everything that was ever told and has not been forgotten since.
	truth twins
}

type replica struct {
	keys Keys
	// skew is by how much the node's clock is ahead, in milliseconds.
	skew int64
}

type message struct {
	from, to int
	text     []byte
}

func newMachine(t *rapid.T) *machine {
	m := &machine{now: 1_000_000, cut: map[[2]int]bool{}, truth: twins{}}
	for range rapid.IntRange(2, 4).Draw(t, "nodes") {
		m.nodes = append(m.nodes, &replica{skew: int64(rapid.IntRange(-40, 40).Draw(t, "skew"))})
	}
	return m
}

func (m *machine) clock(n int) int64 { return m.now + m.nodes[n].skew }

func (m *machine) hear(a, b int) bool { return a != b && !m.cut[[2]int{min(a, b), max(a, b)}] }

func (m *machine) node(t *rapid.T, what string) int {
	return rapid.IntRange(0, len(m.nodes)-1).Draw(t, what)
}

func mustParse(t *rapid.T, text []byte) Keys {
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return k
}

// receive merges what came from another node, the way a node does.
func (m *machine) receive(t *rapid.T, n int, text []byte) {
	k := mustParse(t, text)
	k.DropEnded(m.clock(n))
	m.nodes[n].keys.DropEnded(m.clock(n))
	m.nodes[n].keys.Merge(&k)
}

// update is a backend's update of one node. It is acknowledged when a peer has it, if one can be reached (D24), so that
// it survives the loss of one node.
func (m *machine) update(t *rapid.T) {
	n := m.node(t, "node")
	var d Keys
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]names.Key{"a", "b", "c"}), 1, 2, rapid.ID[names.Key]).Draw(t, "keys") {
		s := State{vars: genVars(t, canonicalTexts)}
		if rapid.Bool().Draw(t, "ends") {
			s.End = (m.clock(n)/1000 + int64(rapid.IntRange(1, 3).Draw(t, "seconds"))) * 1000
		}
		d.Put(key, s)
	}
	r := m.nodes[n]
	grown, changed := r.keys.Apply(&d, m.clock(n), 0)
	for key := range d.All() {
		if r.keys.Get(key).Ended(m.clock(n)) {
			t.Fatalf("%s was written and is hidden: %s", key, r.keys.AppendStored(nil))
		}
	}
	if !changed {
		return
	}
	m.truth = m.truth.join(twinsOf(&grown))
	text, safe := grown.AppendStored(nil), false
	for to := range m.nodes {
		switch {
		case !m.hear(n, to): // lost for good: only comparing copies will mend it
		case !safe:
			m.receive(t, to, text)
			safe = true
		default:
			m.flying = append(m.flying, message{n, to, text})
		}
	}
}

func (m *machine) pick(t *rapid.T) int {
	if len(m.flying) == 0 {
		t.Skip("nothing under way")
	}
	return rapid.IntRange(0, len(m.flying)-1).Draw(t, "message")
}

func (m *machine) deliver(t *rapid.T) { // in any order
	i := m.pick(t)
	msg := m.flying[i]
	m.flying = slices.Delete(m.flying, i, i+1)
	m.receive(t, msg.to, msg.text)
}

func (m *machine) repeat(t *rapid.T) {
	msg := m.flying[m.pick(t)]
	m.receive(t, msg.to, msg.text)
}

func (m *machine) lose(t *rapid.T) {
	i := m.pick(t)
	m.flying = slices.Delete(m.flying, i, i+1)
}

func (m *machine) cutLink(t *rapid.T) {
	a, b := m.node(t, "one"), m.node(t, "other")
	m.cut[[2]int{min(a, b), max(a, b)}] = true
	m.flying = slices.DeleteFunc(m.flying, func(f message) bool { return !m.hear(f.from, f.to) })
}

func (m *machine) heal(t *rapid.T) {
	delete(m.cut, rapid.SampledFrom(append(m.cuts(), [2]int{})).Draw(t, "link"))
}

func (m *machine) cuts() (list [][2]int) {
	for pair := range m.cut {
		list = append(list, pair)
	}
	slices.SortFunc(list, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	return list
}

// restart loses a node's memory. It loads from the peers that it hears; one that alone knows something is not restarted,
// because nobody promises that this survives.
func (m *machine) restart(t *rapid.T) {
	n := m.node(t, "node")
	var others Keys
	for o := range m.nodes {
		if m.hear(n, o) {
			others.Merge(&m.nodes[o].keys)
		}
	}
	if _, more := others.Merge(&m.nodes[n].keys); more {
		t.Skip("it alone knows something")
	}
	m.nodes[n].keys = Keys{}
	m.flying = slices.DeleteFunc(m.flying, func(f message) bool { return f.to == n })
	for o := range m.nodes {
		if m.hear(n, o) {
			m.receive(t, n, m.nodes[o].keys.AppendStored(nil))
		}
	}
}

// expire lets ends pass: nodes whose clocks differ see it before others.
func (m *machine) expire(t *rapid.T) {
	m.advance(t, m.now+int64(rapid.IntRange(1, 2500).Draw(t, "milliseconds")))
}

// forget lets the time pass after which some or all ended keys are forgotten.
func (m *machine) forget(t *rapid.T) {
	m.advance(t, m.now+EndedKept.Milliseconds()-int64(rapid.IntRange(0, 3000).Draw(t, "milliseconds")))
}

// advance lets time pass. Before a node forgets a key there is a rest: EndedKept is that long so that all have heard of
// the last end by then. And no clock stands so near to that time that nodes disagree.
func (m *machine) advance(t *rapid.T, now int64) {
	kept := EndedKept.Milliseconds()
	near := func(end int64) bool { return end != 0 && now >= end+kept-50 }
	if slices.ContainsFunc(m.nodes, func(r *replica) bool {
		return slices.ContainsFunc(r.keys.list, func(e entry) bool { return near(e.state.End) })
	}) {
		m.rest(t)
	}
	for key, s := range m.truth {
		if near(s.end) {
			now = max(now, s.end+kept+50)
			delete(m.truth, key)
		}
	}
	m.now = now
	for n, r := range m.nodes {
		r.keys.DropEnded(m.clock(n))
	}
}

// rest heals all links and lets the nodes compare their copies until nobody learns anything; then all must know the
// truth.
func (m *machine) rest(t *rapid.T) {
	clear(m.cut)
	m.flying = nil
	for range 2 {
		for a := range m.nodes {
			for b := range m.nodes {
				if m.nodes[a].keys.Digest() != m.nodes[b].keys.Digest() {
					text := m.nodes[a].keys.AppendStored(nil)
					m.receive(t, a, m.nodes[b].keys.AppendStored(nil))
					m.receive(t, b, text)
				}
			}
		}
	}
	for n, r := range m.nodes {
		if got := twinsOf(&r.keys); !got.equal(m.truth) {
			t.Fatalf("node %d at rest:\n%vthe join of everything is:\n%v", n, got, m.truth)
		}
		if r.keys.Digest() != m.nodes[0].keys.Digest() {
			t.Fatalf("nodes %d and 0 are equal, their digests are not", n)
		}
	}
}

// nothingFromNowhere is what always holds: each copy is a part of the truth, and it can be printed.
func (m *machine) nothingFromNowhere(t *rapid.T) {
	for n, r := range m.nodes {
		if !m.truth.join(twinsOf(&r.keys)).equal(m.truth) {
			t.Fatalf("node %d knows more than was said:\n%vnot only:\n%v", n, twinsOf(&r.keys), m.truth)
		}
		if again := mustParse(t, r.keys.AppendStored(nil)); !again.Equal(&r.keys) {
			t.Fatalf("node %d: %s is read as %s", n, r.keys.AppendStored(nil), again.AppendStored(nil))
		}
		if i := slices.IndexFunc(r.keys.list, func(e entry) bool { return !slices.IsSortedFunc(e.state.vars, byName) }); i >= 0 {
			t.Fatalf("node %d: variables are not sorted: %s", n, r.keys.AppendStored(nil))
		}
		if !slices.IsSortedFunc(r.keys.list, byKey) {
			t.Fatalf("node %d: keys are not sorted: %s", n, r.keys.AppendStored(nil))
		}
	}
}

// Whatever the network does, at rest all replicas are the join of everything that was said of keys that are not
// forgotten: nothing acknowledged is lost, no old life comes back, and all are equal.
func TestNetworkMachine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"":        m.nothingFromNowhere,
			"update":  m.update,
			"update2": m.update,
			"deliver": m.deliver,
			"repeat":  m.repeat,
			"lose":    m.lose,
			"cut":     m.cutLink,
			"heal":    m.heal,
			"restart": m.restart,
			"expire":  m.expire,
			"forget":  m.forget,
			"rest":    m.rest,
		})
		m.rest(t)
	})
}

// An ended key begins again below its old value on two nodes at once, and both lives join as one.
func TestRebirthOnTwoNodes(t *testing.T) {
	t.Parallel()
	old := keys(t, `{"q:7":{".end":100,"size_counter":50,"tags_set":["old"]}}`)
	a, b, late := old.Clone(), old.Clone(), old.Clone()
	atA, atB := keys(t, `{"q:7":{"size_counter":1}}`), keys(t, `{"q:7":{"size_counter":2,"tags_set":["new"]}}`)
	toB, _ := a.Apply(&atA, 120, 0)
	toA, _ := b.Apply(&atB, 100, 0)
	a.Merge(&toA)
	b.Merge(&toB)
	late.Merge(&toB)
	late.Merge(&old)
	late.Merge(&toA)
	const want = `{"q:7":{".gen":100,"size_counter":2,"tags_set":["new"]}}`
	for i, k := range []Keys{a, b, late} {
		if got := string(k.AppendStored(nil)); got != want {
			t.Error(fmt.Sprint(i), got)
		}
	}
}

package replica

import (
	"slices"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// origin is what a node of a mesh knows about another: which of its announcements it has heard of, and in how many beats
// running the hash of a namespace was another than ours.
type origin struct {
	mark    watermark
	known   bool // mark has a beginning
	differs map[names.Namespace]difference
	seen    time.Time
}

// difference is what the hashes of a namespace were, theirs and ours, and in how many beats running they were so. A
// namespace that is being written differs all the time, because something is always on its way: there only counters
// tell.
type difference struct {
	theirs, ours uint64
	beats        int
}

// differsBeats is in how many beats a hash must differ before a namespace is fetched: what is on its way makes hashes
// differ too.
const differsBeats = 2

// recordsSpace stands for the user records among the namespaces. No backend can write it (names.ErrReserved).
const recordsSpace = names.Namespace("swindon.user")

// number reads a member of a JSON object; 0 if it is not there.
func number(body []byte, name string) uint64 {
	v, _ := jsontext.Lookup(body, name)
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// originOf returns what is known about a node, making it; nil when there are too many. The caller holds mu.
func (m *mesh) originOf(id names.NodeID) *origin {
	o := m.origins[id]
	if o == nil && len(m.origins) < maxOrigins {
		o = &origin{differs: make(map[names.Namespace]difference)}
		m.origins[id] = o
	}
	if o != nil {
		o.seen = time.Now()
	}
	return o
}

// noteCounter notes an announcement that has been merged.
func (m *mesh) noteCounter(from names.NodeID, n uint64) {
	if n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.originOf(from)
	switch {
	case o == nil:
	case !o.known:
		o.known = true
		o.mark.reset(n)
	default:
		o.mark.note(n, time.Now())
	}
}

// beat appends this node's members of its beat: its counter, and the hashes of some namespaces.
func (m *mesh) beat(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `,"n":`...), m.counter.Load(), 10)
	dst = append(dst, `,"sums":{`...)
	for i, sp := range m.someSpaces() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendQuoted(dst, string(sp))
		dst = strconv.AppendUint(append(dst, ':'), m.sum(sp), 10)
	}
	return append(dst, '}')
}

// someSpaces lists the namespaces whose turn it is.
func (m *mesh) someSpaces() []names.Namespace {
	all := []names.Namespace{recordsSpace}
	for _, n := range m.set.all() {
		all = append(all, n.name)
	}
	if len(all) <= maxSums {
		return all
	}
	slices.Sort(all)
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearch(all, m.turn)
	some := append(slices.Clone(all[i:]), all[:i]...)
	m.turn = some[maxSums]
	return some[:maxSums]
}

// sum is our hash of a namespace; 0 when we have none of it.
func (m *mesh) sum(ns names.Namespace) uint64 {
	if ns == recordsSpace {
		return m.records.hash()
	}
	n := m.set.namespaceOf(ns, false)
	if n == nil {
		return 0
	}
	defer n.mu.Unlock()
	return n.sum
}

// hearBeat compares another node's counter and hashes with ours and has fetched what we lack.
func (m *mesh) hearBeat(node names.NodeID, body []byte) {
	now := time.Now()
	n := number(body, "n")
	sums := make(map[names.Namespace]difference)
	v, _ := jsontext.Lookup(body, "sums")
	jsontext.Members(v, func(key []byte, value jsontext.Value) bool {
		sum, err := strconv.ParseUint(string(value), 10, 64)
		ns, ok := spaceOf(string(key))
		if err == nil && ok && len(sums) < maxSums {
			sums[ns] = difference{sum, m.sum(ns), 1}
		}
		return true
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.originOf(node)
	if o == nil {
		return
	}
	if !o.known {
		o.known = true
		o.mark.reset(n)
	}
	o.mark.exists(n, now)
	at, hole := o.mark.due()
	hole = hole && !at.After(now)
	if hole {
		m.set.metrics.holes.Add(1)
	}
	for ns, d := range sums {
		if was := o.differs[ns]; was.theirs == d.theirs && was.ours == d.ours {
			d.beats += was.beats
		}
		delete(o.differs, ns)
		switch {
		case d.theirs == d.ours:
		case hole || d.beats >= differsBeats:
			m.repairs[repair{node, ns}] = struct{}{}
			poke(m.wake)
		default:
			o.differs[ns] = d
		}
	}
	if hole {
		// What the hole was about is among the hashes that differ, now or in one of the next beats.
		o.mark.advance(o.mark.high, now)
	}
}

// spaceOf reads the name of a namespace of a beat or a load.
func spaceOf(name string) (names.Namespace, bool) {
	if name == string(recordsSpace) {
		return recordsSpace, true
	}
	ns, err := names.ParseNamespace(name)
	return ns, err == nil
}

// suspectAll says that announcements may have been lost: the next beat's hashes count at once.
func (m *mesh) suspectAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.origins {
		o.mark.full = true
		if o.mark.since.IsZero() {
			o.mark.since = time.Now()
		}
	}
}

// bury forgets nodes that have not been heard of for long.
func (m *mesh) bury() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, o := range m.origins {
		if time.Since(o.seen) > time.Minute {
			delete(m.origins, id)
		}
	}
}

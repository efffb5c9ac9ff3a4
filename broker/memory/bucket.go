package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// The bounds of a bucket are those of package broker's.
const (
	maxValue  = 8 << 20     // bytes of one value
	markerTTL = time.Minute // that the mark of a deletion or an expiry stays
	pageLimit = 1024        // keys in one Page
)

// cell is what a bucket holds under one key: a value or a mark.
type cell struct {
	value []byte // nil: a mark
	at    time.Time
	seq   uint64
	end   time.Time // zero: none
}

func (c cell) entry() port.Entry { return port.Entry{Value: c.value, Revision: c.seq} }

// state is the content of a bucket at one time. A key without a cell was never written, or its mark has gone.
type state struct {
	last    uint64
	cells   map[string]cell
	next    time.Time    // no cell ends before; zero: none ends at all
	changed func(record) // is told each change; nil: nobody
}

// record is one change of a state: what a replica that lags learns later. A cell without sequence is gone.
type record struct {
	at   time.Time
	key  string
	cell cell
}

func newState() *state { return &state{cells: map[string]cell{}} }

// clone copies a state. Values are never changed, so that they are shared.
func (s *state) clone() *state {
	return &state{last: s.last, next: s.next, cells: maps.Clone(s.cells)}
}

// put writes under the next sequence number.
func (s *state) put(now time.Time, key string, value []byte, end time.Time) uint64 {
	s.set(record{at: now, key: key, cell: cell{value: value, at: now, seq: s.last + 1, end: end}})
	return s.last
}

// set makes a change.
func (s *state) set(r record) {
	if r.cell.seq == 0 {
		delete(s.cells, r.key)
	} else {
		s.cells[r.key] = r.cell
		s.last = r.cell.seq
		if end := r.cell.end; !end.IsZero() && (s.next.IsZero() || end.Before(s.next)) {
			s.next = end
		}
	}
	if s.changed != nil {
		s.changed(r)
	}
}

// expire ends what has an end up to now, in the order of the ends: values leave a mark, which takes a sequence number,
// and marks leave nothing.
func (s *state) expire(now time.Time) {
	for !s.next.IsZero() && !s.next.After(now) {
		due := s.next
		s.next = time.Time{}
		var over []string
		for key, c := range s.cells {
			switch {
			case c.end.IsZero():
			case !c.end.After(due):
				over = append(over, key)
			case s.next.IsZero() || c.end.Before(s.next):
				s.next = c.end
			}
		}
		slices.SortFunc(over, func(a, b string) int { return cmp.Compare(s.cells[a].seq, s.cells[b].seq) })
		for _, key := range over {
			if s.cells[key].value == nil {
				s.set(record{at: due, key: key})
			} else {
				s.put(due, key, nil, due.Add(markerTTL))
			}
		}
	}
}

// changes lists what changed last above a sequence.
func (s *state) changes(pattern string, after uint64, limit int) port.Page {
	var found []port.Change
	for key, c := range s.cells {
		if c.seq > after && match(pattern, key) {
			e := c.entry()
			e.Written = c.at
			found = append(found, port.Change{Key: key, Entry: e})
		}
	}
	slices.SortFunc(found, func(a, b port.Change) int { return cmp.Compare(a.Revision, b.Revision) })
	n := min(len(found), max(1, min(limit, pageLimit)))
	if n == 0 {
		return port.Page{}
	}
	return port.Page{Changes: slices.Clip(found[:n]), More: uint64(len(found) - n)}
}

// bytes is what the values take.
func (s *state) bytes() int64 {
	var n int64
	for key, c := range s.cells {
		n += int64(len(key) + len(c.value))
	}
	return n
}

// bucket is the store of one session pool. All of it is guarded by Network.mu.
type bucket struct {
	leader  *state
	replica *state   // that answers reads when it lags
	behind  []record // what the replica has not heard of yet, oldest first

	absent bool
	alone  bool // no replica ever lags
	down   bool
	delay  time.Duration
	lag    time.Duration
	full   int64 // bytes; 0: no bound
	lose   int   // answers to writes that are to be lost
	fault  func(op Op, key string) Fault
}

// fits tells whether a value may be written: there is room for it, or it takes no more than what it replaces.
func (b *bucket) fits(key string, value []byte) bool {
	old, replaces := b.leader.cells[key]
	return b.full <= 0 || replaces && len(old.value) >= len(value) || b.leader.bytes()+int64(len(key)+len(value)) <= b.full
}

// settle brings the bucket to the present.
func (b *bucket) settle(now time.Time) {
	b.leader.expire(now)
	n := 0
	for n < len(b.behind) && !b.behind[n].at.Add(b.lag).After(now) {
		b.replica.set(b.behind[n])
		n++
	}
	b.behind = b.behind[n:]
}

// any is the state that a read of any replica sees.
func (b *bucket) any() *state {
	if b.lag > 0 {
		return b.replica
	}
	return b.leader
}

// replace gives the bucket another content.
func (b *bucket) replace(s *state) {
	s.changed = b.leader.changed
	b.leader = s
	if b.lag > 0 {
		b.replica, b.behind = s.clone(), nil
	}
}

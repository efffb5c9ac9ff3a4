package presence

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// A node is its own Records. The cluster's mu guards everything; nothing waits under it.

func (n *node) cell(u names.UserID) *stored {
	m := n.c.store
	if n.c.mesh {
		m = n.own
	}
	s := m[u]
	if s == nil {
		s = &stored{}
		m[u] = s
	}
	return s
}

// pass takes the time of one way to the store. It fails when there is none.
func (n *node) pass(ctx context.Context) error {
	n.c.mu.Lock()
	slow := n.slow
	n.c.mu.Unlock()
	if n.c.mesh {
		slow = 0
	}
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return port.ErrTimeout
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.gone || n.cut && !n.c.mesh {
		return port.ErrUnavailable
	}
	return nil
}

// ChangeRecord is a compare-and-swap, or in a mesh a join.
func (n *node) ChangeRecord(ctx context.Context, u names.UserID, f func([]byte) ([]byte, time.Duration)) ([]byte, error) {
	for {
		if err := n.pass(ctx); err != nil {
			return nil, err
		}
		n.c.mu.Lock()
		s := n.cell(u)
		old, rev := s.value, s.rev
		n.c.mu.Unlock()
		value, ttl := f(slices.Clone(old))
		if value == nil {
			return old, nil
		}
		if err := n.pass(ctx); err != nil {
			return nil, err
		}
		n.c.mu.Lock()
		if s := n.cell(u); s.rev != rev {
			n.c.mu.Unlock()
			continue
		}
		*n.cell(u) = stored{value, rev + 1, ttl}
		n.c.note(n, u, value, old)
		lost := n.lose > 0
		if lost {
			n.lose--
			n.c.troubled()
		}
		n.c.mu.Unlock()
		if lost {
			// The others find it by the hole in the sequence, and so does this node.
			n.announce(u, value, 1200*time.Millisecond, true)
			<-ctx.Done()
			return nil, port.ErrTimeout
		}
		n.announce(u, value, 0, false)
		if n.c.mesh {
			time.Sleep(6 * time.Millisecond) // until a peer has answered
		}
		if err := n.pass(ctx); err != nil {
			return nil, err
		}
		return value, nil
	}
}

// announce tells the other nodes that can hear it.
func (n *node) announce(u names.UserID, value []byte, after time.Duration, self bool) {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.nodes {
		if o == n && !self || c.mesh && !n.reach() || c.mute {
			continue
		}
		// Announcements of different nodes overtake each other.
		value := value
		wait := after + time.Duration(1+(len(value)+i*7)%5)*time.Millisecond
		c.wg.Go(func() {
			select {
			case <-time.After(wait):
			case <-c.quit:
				return
			}
			c.mu.Lock()
			up := o.reach()
			if up && c.mesh {
				s := o.cell(u)
				s.value = JoinRecords(s.value, value)
				s.rev++
				value = s.value
			}
			c.mu.Unlock()
			if up {
				o.t.RecordHeard(u, value)
			}
		})
	}
}

// meshHeal is what the digests of a mesh do after a partition.
func (n *node) meshHeal() {
	for _, o := range n.c.nodes {
		if o == n || !o.reach() {
			continue
		}
		for _, ab := range [][2]*node{{n, o}, {o, n}} {
			for u, s := range ab[0].own {
				t := ab[1].cell(u)
				if string(t.value) == string(s.value) {
					continue
				}
				if v := JoinRecords(t.value, s.value); string(v) != string(t.value) {
					t.value = v
					t.rev++
					n.c.wg.Go(func() { ab[1].t.RecordHeard(u, v) })
				}
			}
		}
	}
}

// note keeps the history of the store.
func (c *cluster) note(n *node, u names.UserID, value, old []byte) {
	r, err := Parse(value)
	if err != nil {
		c.t.Errorf("%s: %v", value, err)
	}
	m := commit{at: c.now(), rec: r, by: n.id}
	if o, err := Parse(old); err == nil {
		if o.Notice.pending() && r.Notice.Period != o.Notice.Period {
			m.replaced = o.Notice.ID
		}
		if r.State != o.State && r.Version <= o.Version || r.Version < o.Version {
			c.t.Errorf("%s: version %d after %d", u, r.Version, o.Version)
		}
		if !c.mesh && !c.skewed && len(c.forgotten) == 0 {
			c.judge(u, &o, &r)
		}
	}
	if h := c.history[u]; len(c.forgotten) > 0 && len(h) > 0 {
		if n := &h[len(h)-1].rec.Notice; n.pending() && r.Notice.Period > n.Period {
			m.replaced = n.ID // the store has lost it, not the nodes
		}
	}
	c.history[u] = append(c.history[u], m)
}

// LoadRecords reads.
func (n *node) LoadRecords(ctx context.Context, us []names.UserID) ([][]byte, error) {
	if err := n.pass(ctx); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	out := make([][]byte, len(us))
	for i, u := range us {
		out[i] = n.cell(u).value
	}
	return out, nil
}

// ScanRecords reads all.
func (n *node) ScanRecords(ctx context.Context, f func(names.UserID, []byte)) error {
	if err := n.pass(ctx); err != nil {
		return err
	}
	n.c.mu.Lock()
	m := n.c.store
	if n.c.mesh {
		m = n.own
	}
	values := map[names.UserID][]byte{}
	for u, s := range m {
		if s.value != nil {
			values[u] = s.value
		}
	}
	n.c.scans++
	n.c.mu.Unlock()
	for u, v := range values {
		f(u, v)
	}
	return nil
}

// PurgePrivate notes when.
func (n *node) PurgePrivate(ctx context.Context, u names.UserID, _ time.Time) (kept time.Time, err error) {
	if err := n.pass(ctx); err != nil {
		return kept, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.c.purges[u] = append(n.c.purges[u], n.c.now())
	delete(n.c.private, u)
	for _, o := range n.c.nodes {
		if l := o.local[u]; o.reach() && l != nil && l.conns > 0 && n.c.calm(15*time.Second) && n.c.now()-l.at > 3*time.Second {
			n.c.t.Errorf("%v: private documents of %s are purged, who is on %s", n.c.now(), u, o.id)
		}
	}
	return kept, nil
}

// ScanPrivate goes through all of the users with private data.
func (n *node) ScanPrivate(ctx context.Context, page func([]names.UserID) error) error {
	n.c.mu.Lock()
	us := slices.Sorted(maps.Keys(n.c.private))
	n.c.searches++
	n.c.mu.Unlock()
	for piece := range slices.Chunk(us, 512) {
		if err := n.pass(ctx); err != nil {
			return err
		}
		if err := page(slices.Clone(piece)); err != nil {
			return err
		}
	}
	return nil
}

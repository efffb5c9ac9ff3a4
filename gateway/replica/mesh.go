package replica

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// mesh is what takes the place of the store where there is none (decision D24): every node keeps every document, what
// one changes another confirms, and what a node misses it fetches from the others.
type mesh struct {
	set *Set
	// loaded says that this node has all that the others had when it came.
	loaded atomic.Bool
	// counter numbers this node's announcements from 1.
	counter atomic.Uint64
	// answers bounds the loads that are answered at the same time.
	answers chan struct{}
	records meshRecords

	mu      sync.Mutex // guards the following; no other is taken under it
	origins map[names.NodeID]*origin
	// repairs are what is to be fetched, and from whom.
	repairs map[repair]struct{}
	wake    chan struct{}
	// turn is where the next beat's hashes begin.
	turn names.Namespace
}

const (
	// How long an update waits for another node to confirm it, and a view for the others' copies.
	confirmTimeout = 250 * time.Millisecond
	// One request for documents.
	pullTimeout = 2 * time.Second
	// Loads that are answered at the same time; beyond, they are not answered.
	maxAnswers = 8
	// Hashes in one beat; more take turns.
	maxSums = 64
	// How often an update is applied anew because a key had begun a new life elsewhere.
	maxOutdated = 4
	// Other nodes that are followed.
	maxOrigins = 4096
)

func newMesh(s *Set) *mesh {
	return &mesh{
		set: s, answers: make(chan struct{}, maxAnswers), records: meshRecords{m: make(map[names.UserID]meshRecord)},
		origins: make(map[names.NodeID]*origin), repairs: make(map[repair]struct{}), wake: make(chan struct{}, 1),
	}
}

// update is Set.Update in a mesh: merged here, told to this node's views, and confirmed by another node.
func (m *mesh) update(ctx context.Context, ns names.Namespace, d *lattice.Delta) error {
	ts := targets(ns, d)
	if len(ts) == 0 {
		return nil
	}
	if !m.set.bus.Up() {
		return fmt.Errorf("update: %w", port.ErrUnavailable)
	}
	if !m.loaded.Load() {
		// It does not know yet in which lives the keys are.
		return fmt.Errorf("update: this node is still loading: %w", port.ErrUnavailable)
	}
	for range maxOutdated {
		batch, err := m.apply(ns, ts)
		if err != nil {
			return err
		}
		if outdated, err := m.confirmAll(ctx, ns, batch); err != nil || !outdated {
			return err
		}
		// It was meant for an earlier life of a key than the one that the others know of, and that we know of now.
	}
	return fmt.Errorf("update: the keys begin new lives all the time: %w", port.ErrTimeout)
}

// apply checks an update against the limits and takes all of it into the copies, or nothing. It returns what others have
// to merge.
func (m *mesh) apply(ns names.Namespace, ts []target) ([]docChange, error) {
	s := m.set
	n := s.namespaceOf(ns, true)
	defer n.release()
	g := merged{now: s.nowMs()}
	batch := make([]docChange, 0, len(ts))
	created := 0
	for i := range ts {
		t := &ts[i]
		n.expireNow(t.doc, g.now)
		next, known := n.contentOf(t.doc)
		if t.doc.Kind == names.SharedDoc && !known {
			created++
		}
		next.apply(t.doc.Kind, &t.delta, g.now, 0)
		if err := next.check(t.doc.Kind, s.limits()); err != nil {
			s.metrics.limited.Add(1)
			return nil, err
		}
		batch = append(batch, docChange{doc: t.doc, delta: next.meant(t.doc.Kind, &t.delta)})
	}
	if limit := s.limits().MaxKeysPerNamespace; created > 0 && len(n.shared)+created > limit && n.written()+created > limit {
		return nil, s.counts.refuse(ns, limit)
	}
	for i := range batch {
		n.make(batch[i].doc)
		n.merge(&g, &batch[i])
	}
	n.tell(&g)
	return batch, nil
}

// contentOf returns a copy of what a document holds; known is false when nobody has written it, which somebody may look
// at all the same. The caller holds the lock.
func (n *namespace) contentOf(d names.Doc) (c content, known bool) {
	if d.Kind == names.SharedDoc {
		if p := n.shared[d.Key]; p != nil && p.known {
			return content{shared: p.state}, true
		}
		return c, false
	}
	if p := n.private[d.User]; p != nil && p.keys.Len() > 0 {
		return content{private: p.keys.Clone()}, true
	}
	return c, false
}

// written counts the shared keys, those without variables included, and those that have ended as long as they are
// remembered. The caller holds the lock.
func (n *namespace) written() (keys int) {
	for _, p := range n.shared {
		if p.known {
			keys++
		}
	}
	return keys
}

// make has a copy of a document that somebody has written: a mesh keeps all of them. The caller holds the lock and merges
// what was written.
func (n *namespace) make(d names.Doc) {
	if d.Kind == names.SharedDoc {
		p := n.sharedFor(d.Key)
		n.expireShared(p, n.set.nowMs()) // or the merge would forget that it is written
		p.known = true
	} else {
		n.privateFor(d.User)
	}
}

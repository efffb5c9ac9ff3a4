package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	batch, err := m.apply(ns, ts)
	if err != nil {
		return err
	}
	return m.confirmAll(ctx, ns, batch)
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
		next, _ := n.contentOf(t.doc)
		if t.doc.Kind == names.SharedDoc && !next.written() && t.delta.written() {
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

// contentOf returns a copy of what a document holds. The caller holds the lock.
func (n *namespace) contentOf(d names.Doc) (c content, known bool) {
	if d.Kind == names.SharedDoc {
		if p := n.shared[d.Key]; p != nil {
			return content{shared: p.state}, true
		}
		return c, false
	}
	if p := n.private[d.User]; p != nil {
		return content{private: p.keys.Clone()}, true
	}
	return c, false
}

// written tells whether somebody has written the shared key: what is only seen is no key.
func (c *content) written() bool { return !c.shared.Empty() || c.shared.End != 0 }

// written counts the shared keys. The caller holds the lock.
func (n *namespace) written() (keys int) {
	for _, p := range n.shared {
		if !p.state.Empty() || p.state.End != 0 {
			keys++
		}
	}
	return keys
}

// make has a copy of a document: a mesh keeps all of them. The caller holds the lock.
func (n *namespace) make(d names.Doc) {
	if d.Kind == names.SharedDoc {
		n.sharedFor(d.Key)
	} else {
		n.privateFor(d.User)
	}
}

// confirmAll announces changes of one namespace and returns when another node has them.
func (m *mesh) confirmAll(ctx context.Context, ns names.Namespace, batch []docChange) error {
	for _, body := range m.set.bodies(batch, m.next) {
		err := m.confirm(ctx, port.Message{Subject: m.set.deps.Space.Lattice(ns), Header: m.set.header, Data: body})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mesh) next() uint64 { return m.counter.Add(1) }

// confirm announces and waits until a live node has answered that it has it. Without a live node it does not wait.
func (m *mesh) confirm(ctx context.Context, msg port.Message) error {
	m.set.metrics.announced.Add(1)
	if len(m.set.deps.Live()) == 0 {
		if err := m.set.bus.Publish(msg); err != nil {
			return fmt.Errorf("announce: %w", err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	for {
		_, err := m.set.bus.Request(ctx, port.LaneOrdered, msg)
		if err == nil {
			return nil
		}
		// A node that has just come may not be known everywhere yet.
		if errors.Is(err, port.ErrNoResponders) && pause(ctx, 4) == nil {
			continue
		}
		m.set.metrics.unconfirmed.Add(1)
		if errors.Is(err, port.ErrNoResponders) {
			err = port.ErrTimeout
		}
		return fmt.Errorf("no node has confirmed it: %w", ended(err))
	}
}

// hear takes another node's announcement and answers that it is merged.
func (m *mesh) hear(msg port.Message, ns names.Namespace, user names.UserID) {
	from, err := names.ParseNodeID(msg.Header.Get(port.HeaderNode))
	if err == nil && user != "" {
		err = m.hearRecord(msg.Data, user)
	} else if err == nil {
		err = m.hearDocs(msg.Data, ns, from)
	}
	if err != nil {
		m.set.bad(msg, err)
		return
	}
	m.noteCounter(from, number(msg.Data, "n"))
	if msg.Reply == "" {
		return
	}
	if err := m.set.bus.Publish(port.Message{Subject: msg.Reply, Header: m.set.header}); err != nil {
		m.set.log.Debug("Answer could not be sent", "subject", msg.Subject, "err", err)
	}
}

// hearDocs merges documents of an announcement or of a load.
func (m *mesh) hearDocs(body []byte, ns names.Namespace, from names.NodeID) error {
	batch, err := m.set.parseDocs(ns, body, func(names.Doc) bool { return true })
	unknown := slices.ContainsFunc(batch, func(c docChange) bool { return c.form == asUnknown })
	if unknown {
		batch = slices.DeleteFunc(batch, func(c docChange) bool { return c.form == asUnknown })
		m.fetch(repair{from, ns}) // what did not fit into a message
	}
	m.set.deliver(ns, batch)
	return err
}

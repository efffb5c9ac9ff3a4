package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// confirmAll announces changes of one namespace and returns when another node has them. outdated tells that it knows of
// a later life of one of the keys, which has been merged here.
func (m *mesh) confirmAll(ctx context.Context, ns names.Namespace, batch []docChange) (outdated bool, err error) {
	for _, body := range m.set.bodies(batch, m.next) {
		a, err := m.confirm(ctx, port.Message{Subject: m.set.deps.Space.Lattice(ns), Header: m.set.header, Data: body})
		if err != nil {
			return false, err
		}
		if from, err := names.ParseNodeID(a.Header.Get(port.HeaderNode)); err == nil && len(a.Data) > 0 {
			outdated = true
			m.takeLoad(ns, from, a.Data)
		}
	}
	return outdated, nil
}

func (m *mesh) next() uint64 { return m.counter.Add(1) }

// confirm announces, waits until a live node has answered that it has it, and returns the answer. Without a live node it
// does not wait.
func (m *mesh) confirm(ctx context.Context, msg port.Message) (port.Message, error) {
	m.set.metrics.announced.Add(1)
	if len(m.set.deps.Live()) == 0 {
		if err := m.set.bus.Publish(msg); err != nil {
			return port.Message{}, fmt.Errorf("announce: %w", err)
		}
		return port.Message{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	for {
		a, err := m.set.bus.Request(ctx, port.LaneOrdered, msg)
		if err == nil {
			return a, nil
		}
		// A node that has just come may not be known everywhere yet.
		if errors.Is(err, port.ErrNoResponders) && pause(ctx, 4) == nil {
			continue
		}
		m.set.metrics.unconfirmed.Add(1)
		if errors.Is(err, port.ErrNoResponders) {
			err = port.ErrTimeout
		}
		return port.Message{}, fmt.Errorf("no node has confirmed it: %w", ended(err))
	}
}

// hear takes another node's announcement and answers that it is merged.
func (m *mesh) hear(msg port.Message, ns names.Namespace, user names.UserID) {
	from, err := names.ParseNodeID(msg.Header.Get(port.HeaderNode))
	var later []names.Doc
	whole := true
	if err == nil && user != "" {
		err = m.hearRecord(msg.Data, user)
	} else if err == nil {
		later, whole, err = m.hearDocs(msg.Data, ns, from)
	}
	if err != nil {
		m.set.bad(msg, err)
		return
	}
	m.noteCounter(from, number(msg.Data, "n"))
	if msg.Reply == "" || !whole {
		return
	}
	answer := port.Message{Subject: msg.Reply, Header: m.set.header}
	if len(later) > 0 {
		answer.Data = m.page(ns, "", later, true, 0)
	}
	if err := m.set.bus.Publish(answer); err != nil {
		m.set.log.Debug("Answer could not be sent", "subject", msg.Subject, "err", err)
	}
}

// hearDocs merges documents of an announcement or of a load. later are those of which we know a later life; whole is
// false when something did not fit into the message and is being fetched.
func (m *mesh) hearDocs(body []byte, ns names.Namespace, from names.NodeID) (later []names.Doc, whole bool, err error) {
	batch, err := m.set.parseDocs(ns, body, func(names.Doc) bool { return true })
	whole = !slices.ContainsFunc(batch, func(c docChange) bool { return c.form == asUnknown })
	if !whole {
		m.fetch(repair{from, ns})
	}
	known := slices.DeleteFunc(batch, func(c docChange) bool { return c.form == asUnknown || c.empty() })
	m.set.deliver(ns, known)
	return m.later(ns, known), whole, err
}

// empty tells whether nothing is left of what was heard of a document, because all of it ended too long ago: no copy is
// made for it.
func (c *docChange) empty() bool {
	if c.doc.Kind == names.SharedDoc {
		return c.delta.forgotten
	}
	return c.delta.private.Len() == 0
}

// later picks those documents that are in a later life here than in what was heard of them.
func (m *mesh) later(ns names.Namespace, batch []docChange) (docs []names.Doc) {
	n := m.set.namespaceOf(ns, false)
	if n == nil {
		return nil
	}
	defer n.mu.Unlock()
	for i := range batch {
		if n.isLater(&batch[i]) {
			docs = append(docs, batch[i].doc)
		}
	}
	return docs
}

// isLater tells whether a key of a change is in a later life here. The caller holds the lock.
func (n *namespace) isLater(c *docChange) bool {
	if c.doc.Kind == names.SharedDoc {
		p := n.shared[c.doc.Key]
		return p != nil && p.state.Gen > c.delta.shared.Gen
	}
	p := n.private[c.doc.User]
	if p == nil {
		return false
	}
	for k, st := range c.delta.private.All() {
		if have := p.keys.Get(k); have != nil && have.Gen > st.Gen {
			return true
		}
	}
	return false
}

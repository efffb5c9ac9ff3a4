package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// repair is a namespace to be fetched from a node.
type repair struct {
	from names.NodeID
	ns   names.Namespace
}

// everything is the name under which a node is asked which namespaces it has.
const everything = names.Namespace("swindon.all")

// fetch has a namespace fetched in the background.
func (m *mesh) fetch(r repair) {
	m.mu.Lock()
	m.repairs[r] = struct{}{}
	m.mu.Unlock()
	poke(m.wake)
}

// run loads all that the others have and then fetches what turns out to be missing, until ctx ends.
func (m *mesh) run(ctx context.Context) {
	for !m.loaded.Load() {
		if m.loadAll(ctx) {
			m.loaded.Store(true)
		} else if pause(ctx, 100) != nil {
			return
		}
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		for r := range m.takeRepairs() {
			m.set.metrics.repairs.Add(1)
			if err := m.pull(ctx, r.from, r.ns); err != nil && ctx.Err() == nil {
				m.set.log.Debug("Documents could not be fetched", "node", string(r.from), "namespace", string(r.ns), "err", err)
			}
		}
		select {
		case <-m.wake:
		case <-tick.C:
			m.bury()
			m.records.dropEnded(m.set.nowMs())
		case <-ctx.Done():
			return
		}
	}
}

func (m *mesh) takeRepairs() map[repair]struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.repairs
	m.repairs = make(map[repair]struct{})
	return r
}

// loadAll loads everything from one of the others; true: it is done, or there is nobody who has more.
func (m *mesh) loadAll(ctx context.Context) bool {
	if !m.set.bus.Up() || !m.set.deps.Met() {
		return false
	}
	var from names.NodeID
	var spaces []names.Namespace
	waiting := make(map[names.NodeID]bool)
	for _, n := range m.set.deps.Live() {
		waiting[n] = true
	}
	first := true // among those that are loading too
	err := m.ask(ctx, everything, []byte(`{}`), confirmTimeout, func(node names.NodeID, body []byte) bool {
		delete(waiting, node)
		if v, _ := jsontext.Lookup(body, "loading"); string(v) == "true" {
			first = first && m.set.deps.Node < node
			return len(waiting) > 0
		}
		from, spaces = node, nil
		list, _ := jsontext.Lookup(body, "spaces")
		jsontext.Each(list, func(v jsontext.Value) bool {
			text, _ := jsontext.Unquote(v)
			if ns, ok := spaceOf(text); ok {
				spaces = append(spaces, ns)
			}
			return true
		})
		return false
	})
	switch {
	case from != "":
		for _, ns := range append(spaces, recordsSpace) {
			if m.pull(ctx, from, ns) != nil {
				return false
			}
		}
		return true
	case errors.Is(err, port.ErrUnavailable):
		return false
	}
	// Nobody has anything. Those who have just come as well wait for the first of them.
	return len(waiting) == 0 && first
}

// pull fetches a namespace from a node, page by page.
func (m *mesh) pull(ctx context.Context, from names.NodeID, ns names.Namespace) error {
	for after := ""; ; {
		body := fmt.Appendf(nil, `{"to":%q,"after":%q}`, from, after)
		var next string
		got := false
		err := m.ask(ctx, ns, body, pullTimeout, func(node names.NodeID, page []byte) bool {
			got = true
			m.takeLoad(ns, node, page)
			v, _ := jsontext.Lookup(page, "next")
			next, _ = jsontext.Unquote(v)
			return false
		})
		switch {
		case err != nil:
			return err
		case !got:
			return port.ErrTimeout
		case next == "" || next <= after:
			return nil
		}
		after = next
	}
}

// ask sends a request for documents and hands over the answers until each returns false or the time is over; the latter
// is no error when somebody has answered.
func (m *mesh) ask(ctx context.Context, ns names.Namespace, body []byte, timeout time.Duration, each func(names.NodeID, []byte) bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	msg := port.Message{Subject: m.set.deps.Space.Load(ns), Header: m.set.header, Data: body}
	err := m.set.bus.RequestMany(ctx, port.LaneOrdered, msg, func(a port.Message) bool {
		node, err := names.ParseNodeID(a.Header.Get(port.HeaderNode))
		return err != nil || each(node, a.Data)
	})
	if err != nil {
		return fmt.Errorf("load: %w", ended(err))
	}
	return nil
}

// takeLoad merges the answer to a request for documents.
func (m *mesh) takeLoad(ns names.Namespace, from names.NodeID, body []byte) {
	var err error
	if ns == recordsSpace {
		err = m.takeRecords(body)
	} else {
		_, _, err = m.hearDocs(body, ns, from)
	}
	if err != nil {
		m.set.metrics.bad.Add(1)
		m.set.log.Debug("Bad documents are dropped", "node", string(from), "namespace", string(ns), "err", err)
	}
}

// gather asks all live nodes for what a view shows. A node that does not answer in time is asked once more in the
// background.
func (m *mesh) gather(ctx context.Context, v *View) {
	asked := make(map[names.Doc]bool)
	for range 3 {
		docs := v.unasked(asked)
		live := m.set.deps.Live()
		if len(docs) == 0 || len(live) == 0 {
			return
		}
		if silent := m.askDocs(ctx, v.ns.name, docs, live, confirmTimeout); len(silent) > 0 {
			m.set.metrics.notAnswered.Add(int64(len(silent)))
			m.set.spawn(func() { m.askDocs(m.set.ctx, v.ns.name, docs, silent, pullTimeout) })
		}
	}
}

// unasked lists the documents of a view that are not in asked, and puts them there.
func (v *View) unasked(asked map[names.Doc]bool) (docs []names.Doc) {
	v.ns.mu.Lock()
	defer v.ns.mu.Unlock()
	all := []names.Doc{names.PrivateOf(v.ns.name, v.user)}
	for _, k := range v.doc.visible(v.ns.set.nowMs()) {
		all = append(all, names.SharedOf(v.ns.name, k))
	}
	for _, d := range all {
		if !asked[d] {
			asked[d] = true
			docs = append(docs, d)
		}
	}
	return docs
}

// askDocs asks nodes for documents and merges their answers; it returns who did not answer.
func (m *mesh) askDocs(ctx context.Context, ns names.Namespace, docs []names.Doc, nodes []names.NodeID, timeout time.Duration) (silent []names.NodeID) {
	body := []byte(`{"docs":[`)
	for i, d := range docs {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsontext.AppendQuoted(body, d.StoreKey())
	}
	silent = slices.Clone(nodes)
	err := m.ask(ctx, ns, append(body, "]}"...), timeout, func(node names.NodeID, page []byte) bool {
		m.takeLoad(ns, node, page)
		silent = slices.DeleteFunc(silent, func(n names.NodeID) bool { return n == node })
		return len(silent) > 0
	})
	if err != nil {
		m.set.log.Debug("Not all nodes have answered", "namespace", string(ns), "silent", len(silent), "err", err)
	}
	return silent
}

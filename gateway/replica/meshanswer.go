package replica

import (
	"errors"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// HearLoad answers another node's request for documents, in a mesh (Space.Loads). It does not block.
func (s *Set) HearLoad(msg port.Message) {
	m := s.mesh
	if m == nil || msg.Reply == "" {
		return
	}
	if to, ok := jsontext.Lookup(msg.Data, "to"); ok {
		if text, _ := jsontext.Unquote(to); text != string(s.deps.Node) {
			return
		}
	}
	ns, err := s.deps.Space.ParseLoad(msg.Subject)
	if err != nil && !errors.Is(err, names.ErrReserved) {
		s.bad(msg, err)
		return
	}
	select {
	case m.answers <- struct{}{}:
	default:
		s.metrics.refused.Add(1)
		return
	}
	if !s.spawn(func() { defer func() { <-m.answers }(); m.answer(msg, ns) }) {
		<-m.answers
	}
}

func (m *mesh) answer(msg port.Message, ns names.Namespace) {
	after := ""
	if v, ok := jsontext.Lookup(msg.Data, "after"); ok {
		after, _ = jsontext.Unquote(v)
	}
	limit := int(min(m.set.bus.MaxPayload()/2, 1<<20))
	var body []byte
	switch ns {
	case everything:
		body = m.listSpaces()
	case recordsSpace:
		body = m.records.page(after, limit, m.set.nowMs())
	default:
		list, some := jsontext.Lookup(msg.Data, "docs")
		body = m.page(ns, after, storeKeys(list), some, limit)
	}
	if err := m.set.bus.Publish(port.Message{Subject: msg.Reply, Header: m.set.header, Data: body}); err != nil {
		m.set.log.Debug("Answer could not be sent", "subject", msg.Subject, "err", err)
	}
}

func (m *mesh) listSpaces() []byte {
	if !m.loaded.Load() {
		return []byte(`{"loading":true}`)
	}
	body := []byte(`{"spaces":[`)
	for i, n := range m.set.all() {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsontext.AppendQuoted(body, string(n.name))
	}
	return append(body, "]}"...)
}

// page writes documents of a namespace as an announcement does: those asked for, or all in the order of their names
// behind after. What does not fit comes with the next page.
func (m *mesh) page(ns names.Namespace, after string, docs []names.Doc, some bool, limit int) []byte {
	body := []byte(`{"docs":[`)
	n := m.set.namespaceOf(ns, false)
	if n == nil {
		return append(body, "]}"...)
	}
	defer n.mu.Unlock()
	if !some {
		docs = n.docs()
		keys := make(map[names.Doc]string, len(docs))
		for _, d := range docs {
			keys[d] = d.StoreKey()
		}
		docs = slices.DeleteFunc(docs, func(d names.Doc) bool { return keys[d] <= after })
		slices.SortFunc(docs, func(a, b names.Doc) int { return strings.Compare(keys[a], keys[b]) })
	}
	for i, d := range docs {
		c, known := n.contentOf(d)
		if !known || d.Namespace != ns {
			continue
		}
		if body[len(body)-1] != '[' {
			body = append(body, ',')
		}
		was := len(body)
		change := docChange{doc: d, delta: c}
		if body = change.appendTo(body); len(body) > limit && was > len(`{"docs":[`) && !some {
			body = append(body[:was-1], `],"next":`...)
			return append(jsontext.AppendQuoted(body, docs[i-1].StoreKey()), '}')
		}
	}
	return append(body, "]}"...)
}

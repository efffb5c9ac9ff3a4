package replica

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

const (
	opViewers = "viewers"
	// Documents in one question to the other nodes.
	viewersBatch = 500
	// How long the other nodes have to answer.
	viewersTimeout = 2 * time.Second
	minSweepPause  = time.Second
)

// sweeper removes shared keys that nobody has looked at for shared-grace (decision D21). Each key has one owner among
// the live nodes, which asks all of them.
type sweeper struct {
	set  *Set
	wake chan struct{}
	// alone are the owned keys that nobody looked at in the last round; the one goroutine's.
	alone map[names.Doc]alone
}

type alone struct {
	rev   uint64
	since time.Time
}

func newSweeper(s *Set) *sweeper {
	return &sweeper{set: s, wake: make(chan struct{}, 1), alone: make(map[names.Doc]alone)}
}

// run makes a round every half of shared-grace, until ctx ends.
func (w *sweeper) run(ctx context.Context) {
	last := time.Now()
	for {
		pause := max(w.set.cfg.Load().SharedGrace/2, minSweepPause)
		t := time.NewTimer(time.Until(last.Add(pause)))
		select {
		case <-t.C:
		case <-w.wake: // the settings have changed
			t.Stop()
			continue
		case <-ctx.Done():
			t.Stop()
			return
		}
		last = time.Now()
		if err := w.round(ctx); err != nil && ctx.Err() == nil {
			w.set.log.Debug("Shared keys could not be swept", "err", err)
		}
	}
}

// round looks at all owned keys once.
func (w *sweeper) round(ctx context.Context) error {
	live := w.set.deps.Live()
	owned := make(map[names.Doc]uint64)
	err := w.shared(ctx, func(doc names.Doc, rev uint64) bool {
		if w.owns(doc, live) {
			owned[doc] = rev
		}
		return len(owned) < maxSwept
	})
	if err != nil {
		return err
	}
	for doc := range w.alone {
		if _, ok := owned[doc]; !ok {
			delete(w.alone, doc)
		}
	}
	batch := make([]names.Doc, 0, viewersBatch)
	for doc := range owned {
		if batch = append(batch, doc); len(batch) == viewersBatch {
			err = errors.Join(err, w.judge(ctx, batch, owned, live))
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		err = errors.Join(err, w.judge(ctx, batch, owned, live))
	}
	return err
}

// shared goes through the shared documents that there are.
func (w *sweeper) shared(ctx context.Context, each func(names.Doc, uint64) (more bool)) error {
	if m := w.set.mesh; m != nil {
		m.sharedDocs(each)
		return nil
	}
	return w.set.scan(ctx, names.AllShared, func(doc names.Doc, e port.Entry) bool {
		return e.Value == nil || each(doc, e.Revision)
	})
}

// owns tells whether this node has the highest rendezvous hash for a document among the live ones.
func (w *sweeper) owns(doc names.Doc, live []names.NodeID) bool {
	self := w.set.deps.Node
	own := rendezvous(doc, self)
	for _, n := range live {
		if h := rendezvous(doc, n); h > own || h == own && n > self {
			return false
		}
	}
	return true
}

func rendezvous(doc names.Doc, n names.NodeID) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(doc.StoreKey()))
	_, _ = h.Write([]byte{' '})
	_, _ = h.Write([]byte(n))
	x := h.Sum64() // its high bits hardly depend on the last bytes
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return x ^ x>>33
}

// judge removes those of some documents that nobody has looked at for long enough.
func (w *sweeper) judge(ctx context.Context, docs []names.Doc, revs map[names.Doc]uint64, live []names.NodeID) error {
	viewed, err := w.ask(ctx, docs, live)
	if err != nil {
		// Nothing is known: somebody may look at them by now.
		for _, doc := range docs {
			delete(w.alone, doc)
		}
		return err
	}
	now := time.Now()
	grace := w.set.cfg.Load().SharedGrace
	for i, doc := range docs {
		a, known := w.alone[doc]
		switch {
		case viewed[doc] || w.set.Viewed(docs[i : i+1])[0]:
			delete(w.alone, doc)
		case !known || a.rev != revs[doc]:
			w.alone[doc] = alone{revs[doc], now}
		case now.Sub(a.since) >= grace:
			delete(w.alone, doc)
			if _, err := w.set.remove(ctx, doc, a.rev); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask tells which documents the other nodes have viewers of. All of the live ones must answer.
func (w *sweeper) ask(ctx context.Context, docs []names.Doc, live []names.NodeID) (map[names.Doc]bool, error) {
	viewed := make(map[names.Doc]bool)
	if len(live) == 0 {
		return viewed, nil
	}
	body := []byte{'['}
	for i, d := range docs {
		if i > 0 {
			body = append(body, ',')
		}
		body = jsontext.AppendQuoted(body, d.StoreKey())
	}
	waiting := make(map[string]bool, len(live))
	for _, n := range live {
		waiting[string(n)] = true
	}
	ctx, cancel := context.WithTimeout(ctx, viewersTimeout)
	defer cancel()
	m := port.Message{Subject: w.set.deps.Space.Nodes(opViewers), Header: w.set.header, Data: append(body, ']')}
	err := w.set.bus.RequestMany(ctx, port.LaneOrdered, m, func(a port.Message) bool {
		for _, d := range storeKeys(a.Data) {
			viewed[d] = true
		}
		delete(waiting, a.Header.Get(port.HeaderNode))
		return len(waiting) > 0
	})
	if err != nil {
		return nil, fmt.Errorf("viewers, %d nodes have not answered: %w", len(waiting), err)
	}
	return viewed, nil
}

func storeKeys(body []byte) (docs []names.Doc) {
	jsontext.Each(body, func(v jsontext.Value) bool {
		if text, ok := jsontext.Unquote(v); ok {
			if d, err := names.ParseStoreKey(text); err == nil {
				docs = append(docs, d)
			}
		}
		return true
	})
	return docs
}

// HearViewers answers another node's question which of some shared documents have viewers here (Space.Nodes("viewers")).
// It does not block.
func (s *Set) HearViewers(m port.Message) {
	if m.Reply == "" {
		return
	}
	docs := storeKeys(m.Data)
	if len(docs) > viewersBatch {
		s.bad(m, port.ErrTooLarge)
		return
	}
	body := []byte{'['}
	for i, yes := range s.Viewed(docs) {
		if !yes {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = jsontext.AppendQuoted(body, docs[i].StoreKey())
	}
	if err := s.bus.Publish(port.Message{Subject: m.Reply, Header: s.header, Data: append(body, ']')}); err != nil {
		s.log.Debug("Answer could not be sent", "subject", m.Subject, "err", err)
	}
}

// Viewed tells which of some shared documents somebody looks at on this node, or did until a moment ago.
func (s *Set) Viewed(docs []names.Doc) []bool {
	out := make([]bool, len(docs))
	for i, d := range docs {
		n := s.namespaceOf(d.Namespace, false)
		if n == nil {
			continue
		}
		c := n.shared[d.Key]
		out[i] = c != nil && len(c.viewers) > 0
		n.mu.Unlock()
	}
	return out
}

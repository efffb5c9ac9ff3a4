package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Open returns what a user sees of a namespace, loaded. Each Open needs a Close. Opens of the same view share one load;
// at most 64 views are loaded at a time. Errors: port.ErrUnavailable, port.ErrTimeout, or the context's.
func (s *Set) Open(ctx context.Context, ns names.Namespace, u names.UserID) (*View, error) {
	n := s.namespaceOf(ns, true)
	v := n.viewOf(u)
	v.refs++
	if v.open {
		n.mu.Unlock()
		return v, nil
	}
	l := v.loading
	if l == nil {
		l = &loading{done: make(chan struct{})}
		v.loading = l
		if !s.spawn(func() { s.load(v, l) }) {
			l.err = fmt.Errorf("stopped: %w", port.ErrUnavailable)
			v.loading = nil
			close(l.done)
		}
	}
	n.mu.Unlock()
	select {
	case <-l.done:
		if l.err == nil {
			return v, nil
		}
		v.Close()
		return nil, fmt.Errorf("load %s of %s: %w", ns, u, l.err)
	case <-ctx.Done():
		v.Close()
		return nil, ended(ctx.Err())
	}
}

// viewOf returns a user's view, making it. The caller holds the lock.
func (n *namespace) viewOf(u names.UserID) *View {
	p := n.privateFor(u)
	if p.view == nil {
		p.view = &View{ns: n, user: u, doc: p}
		n.set.metrics.views.Add(1)
		for _, k := range p.visible(n.set.nowMs()) {
			n.follow(p.view, k)
		}
	}
	return p.view
}

// load loads a view. It is followed already, so that what changes meanwhile is not missed.
func (s *Set) load(v *View, l *loading) {
	ctx, cancel := context.WithTimeout(s.ctx, loadTimeout)
	defer cancel()
	err := s.loadBounded(ctx, v)
	s.metrics.loads.Add(1)
	if err != nil {
		s.metrics.loadErrors.Add(1)
		v.ns.mu.Lock()
		v.loading = nil
		v.ns.mu.Unlock()
	}
	l.err = err
	close(l.done)
}

func (s *Set) loadBounded(ctx context.Context, v *View) error {
	select {
	case s.loads <- struct{}{}:
		defer func() { <-s.loads }()
		s.metrics.began()
		defer s.metrics.loading.Add(-1)
	case <-ctx.Done():
		return ended(ctx.Err())
	}
	if s.mesh != nil {
		s.mesh.gather(ctx, v)
	}
	for {
		docs := v.missing()
		if docs == nil {
			return nil
		}
		if err := s.fetch(ctx, docs, asWhole); err != nil {
			return err
		}
		s.loader.second(docs)
	}
}

// missing lists what must be loaded before the view is open: first its private document, then the shared ones that it
// names. nil: nothing; the view is open then.
func (v *View) missing() (docs []names.Doc) {
	v.ns.mu.Lock()
	defer v.ns.mu.Unlock()
	if !v.doc.loaded {
		return []names.Doc{names.PrivateOf(v.ns.name, v.user)}
	}
	for _, k := range v.doc.visible(v.ns.set.nowMs()) {
		if c := v.ns.follow(v, k); !c.loaded {
			docs = append(docs, names.SharedOf(v.ns.name, k))
		}
	}
	if docs == nil {
		v.open, v.loading = true, nil
	}
	return docs
}

// fetch reads documents from the store and takes them into this node's copies.
func (s *Set) fetch(ctx context.Context, docs []names.Doc, form form) error {
	for len(docs) > 0 {
		piece := docs[:min(len(docs), readBatch)]
		docs = docs[len(piece):]
		entries, err := s.readFresh(ctx, piece)
		if err != nil {
			return err
		}
		for i := 0; i < len(piece); {
			ns, batch := piece[i].Namespace, []docChange(nil)
			for ; i < len(piece) && piece[i].Namespace == ns; i++ {
				batch = append(batch, s.stored(piece[i], entries[i], form))
			}
			s.deliver(ns, batch)
		}
	}
	return nil
}

func (s *Set) readMany(ctx context.Context, docs []names.Doc) ([]port.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	if len(docs) == 1 {
		e, err := s.store.Get(ctx, docs[0].StoreKey())
		return []port.Entry{e}, err
	}
	keys := make([]string, len(docs))
	for i := range docs {
		keys[i] = docs[i].StoreKey()
	}
	entries, err := s.store.GetMany(ctx, keys)
	if errors.Is(err, port.ErrTooLarge) {
		// Large documents: fewer at a time.
		first, err := s.readMany(ctx, docs[:len(docs)/2])
		if err != nil {
			return nil, err
		}
		second, err := s.readMany(ctx, docs[len(docs)/2:])
		return append(first, second...), err
	}
	return entries, err
}

// stored makes a change of what the store holds; form is asWhole or asTruth.
func (s *Set) stored(doc names.Doc, e port.Entry, form form) docChange {
	c := docChange{doc: doc, form: form, seq: e.Revision}
	if e.Value == nil {
		if form == asWhole {
			c.form = asGone
		}
		return c
	}
	var err error
	if c.delta, err = parse(doc.Kind, e.Value, s.nowMs()+s.early); err != nil {
		s.metrics.bad.Add(1)
		s.log.Error("A document in the store cannot be read", "key", doc.StoreKey(), "err", err)
		c.seq = 0
	}
	return c
}

// dropIdle drops the views that nobody has looked at for a grace, until ctx ends.
func (s *Set) dropIdle(ctx context.Context) {
	s.idle.run(ctx, func(v *View) (again bool) {
		n := v.ns
		n.mu.Lock()
		defer n.release()
		switch {
		case v.refs > 0 || v.doc.view != v || s.nowMs()-v.idle < viewGrace.Milliseconds():
			return false
		case v.loading != nil:
			return true
		}
		n.dropView(v)
		return false
	})
}

// dropView forgets a view and the copies that nobody else looks at. The caller holds the lock.
func (n *namespace) dropView(v *View) {
	for k := range v.doc.keys.All() {
		n.unfollow(v, k)
	}
	for _, h := range v.held {
		h.end()
	}
	v.held, v.open, v.doc.view = nil, false, nil
	if n.set.mesh == nil || v.doc.keys.Len() == 0 {
		n.dropPrivate(v.user)
	}
	n.set.metrics.views.Add(-1)
}

// ended gives the end of a context its meaning at the joint.
func ended(err error) error {
	if err == context.DeadlineExceeded { //nolint:errorlint // what a context returns is never wrapped
		return fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return err
}

package replica

import (
	"context"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// loader reads documents in the background: those that a change says nothing about, those that have become visible, and
// once more those that were read from a replica which may have lagged. It reads in batches, one at a time.
type loader struct {
	set *Set

	mu sync.Mutex // guards the following; no other is taken under it
	// soon are documents to be read now; true: and once more later.
	soon map[names.Doc]bool
	// later says when documents are to be read once more; dues has the same, the earliest first, and what was put off since.
	later map[names.Doc]time.Time
	dues  []docTime
	// last says when documents were read that must not be read again at once; order has the same, the oldest first.
	last  map[names.Doc]time.Time
	order []docTime
	wake  chan struct{}
	begun time.Time
}

type docTime struct {
	doc names.Doc
	at  time.Time
}

const (
	// Documents that are read a second time.
	maxLater = 1 << 17
	// The same document is not read more often.
	reloadPause = 100 * time.Millisecond
	// Documents of one read: NATS answers the requests of a connection one after the other, so a client that comes waits
	// for this one.
	loaderBatch = 128
)

func newLoader(s *Set) *loader {
	return &loader{set: s, soon: map[names.Doc]bool{}, later: map[names.Doc]time.Time{}, last: map[names.Doc]time.Time{}, wake: make(chan struct{}, 1), begun: time.Now()}
}

// again has documents read as soon as possible. It may be called with a namespace's lock held.
func (l *loader) again(docs []names.Doc) {
	if len(docs) == 0 {
		return
	}
	l.mu.Lock()
	for _, d := range docs {
		l.soon[d] = true // bounded by the number of copies
	}
	l.mu.Unlock()
	poke(l.wake)
}

// keys is again for shared keys.
func (l *loader) keys(ns names.Namespace, keys []names.Key) {
	docs := make([]names.Doc, len(keys))
	for i, k := range keys {
		docs[i] = names.SharedOf(ns, k)
	}
	l.again(docs)
}

// second has documents that have just been read be read once more, when replicas that lag have caught up.
func (l *loader) second(docs []names.Doc) {
	if l.set.store != nil && l.set.store.MayLag() {
		l.putOff(docs)
	}
}

// putOff has documents read after secondRead, or up to secondStep later, with others.
func (l *loader) putOff(docs []names.Doc) {
	if len(docs) == 0 {
		return
	}
	l.mu.Lock()
	// Steps are counted from begun: a clock that is set back must not hold up anything.
	due := l.begun.Add((time.Since(l.begun) + secondRead + secondStep).Truncate(secondStep))
	for _, d := range docs {
		if !l.later[d].Equal(due) && len(l.dues) < maxLater {
			l.later[d] = due
			l.dues = append(l.dues, docTime{d, due})
		}
	}
	l.mu.Unlock()
	poke(l.wake)
}

// ripen moves what is due from later to soon, and returns how long the next has to wait; 0: there is none.
func (l *loader) ripen(now time.Time) (rest time.Duration) {
	for len(l.dues) > 0 {
		d := l.dues[0]
		if rest = d.at.Sub(now); rest > 0 {
			return rest
		}
		l.dues = l.dues[1:]
		if !l.later[d.doc].Equal(d.at) {
			continue // put off
		}
		delete(l.later, d.doc)
		if _, waits := l.soon[d.doc]; !waits {
			l.soon[d.doc] = false
		}
	}
	l.dues = nil // a burst's big array is not kept
	return 0
}

// take returns some documents that are to be read now and those of them that are to be read once more later, or how long
// to wait for the next; 0: until there are some.
func (l *loader) take(now time.Time) (docs, twice []names.Doc, rest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest = l.ripen(now)
	for len(l.order) > 0 && now.Sub(l.order[0].at) >= reloadPause {
		delete(l.last, l.order[0].doc)
		l.order = l.order[1:]
	}
	if len(l.order) == 0 {
		l.order = nil // as above
	}
	for d, again := range l.soon {
		if at, just := l.last[d]; just {
			wait := at.Add(reloadPause).Sub(now)
			if rest == 0 || wait < rest {
				rest = wait
			}
			continue
		}
		delete(l.soon, d)
		docs = append(docs, d)
		if again {
			twice = append(twice, d)
		}
		if len(docs) == loaderBatch {
			break
		}
	}
	return docs, twice, rest
}

// done notes that documents have been read.
func (l *loader) done(docs []names.Doc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, d := range docs {
		l.last[d] = now
		l.order = append(l.order, docTime{d, now})
	}
}

// run reads until ctx ends.
func (l *loader) run(ctx context.Context) {
	for try := 0; ; {
		taken, twice, rest := l.take(time.Now())
		docs := l.set.followed(taken)
		if len(docs) > 0 {
			if err := l.set.fetch(ctx, docs, asWhole); err != nil {
				l.set.log.Debug("Documents could not be read", "count", len(docs), "err", err)
				l.again(docs)
				try = min(try+1, 100)
				if pause(ctx, try) != nil {
					return
				}
				continue
			}
			try = 0
			l.done(docs)
			l.second(twice)
			continue
		}
		if len(taken) > 0 {
			continue
		}
		var timer <-chan time.Time
		if rest > 0 {
			timer = time.After(rest)
		}
		select {
		case <-timer:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// followed picks those documents of which there are copies, sorted by namespace.
func (s *Set) followed(docs []names.Doc) (out []names.Doc) {
	by := make(map[names.Namespace][]names.Doc)
	for _, d := range docs {
		by[d.Namespace] = append(by[d.Namespace], d)
	}
	for ns, list := range by {
		n := s.namespaceOf(ns, false)
		if n == nil {
			continue
		}
		for _, d := range list {
			if n.has(d) {
				out = append(out, d)
			}
		}
		n.release()
	}
	return out
}

// has tells whether there is a copy. The caller holds the lock.
func (n *namespace) has(d names.Doc) bool {
	if d.Kind == names.SharedDoc {
		return n.shared[d.Key] != nil
	}
	return n.private[d.User] != nil
}

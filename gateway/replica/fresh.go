package replica

import (
	"context"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// fresh remembers the numbers of the commits of the last moments, by document: replicas of the store that lag behind
// what this node has heard of can be told from others.
type fresh struct {
	mu sync.Mutex // guards the following; no other is taken under it
	// young is what was heard since turned, old what was heard in the turn before.
	young, old map[names.Doc]uint64
	turned     time.Time
}

const (
	// A commit is remembered for one to two turns.
	freshTurn = time.Second
	// Documents of a turn; beyond, the turn comes at once.
	freshDocs = 1 << 15
	// How long a replica that is known to lag is waited for, and how often it is asked.
	freshWait  = 500 * time.Millisecond
	freshPause = 5 * time.Millisecond
)

// note remembers that a document was committed with a number.
func (f *fresh) note(d names.Doc, seq uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.turned) >= freshTurn || len(f.young) >= freshDocs {
		if f.old, f.young = f.young, nil; now.Sub(f.turned) >= 2*freshTurn {
			f.old = nil
		}
		f.turned = now
	}
	if f.young == nil {
		f.young = make(map[names.Doc]uint64)
	}
	f.young[d] = max(f.young[d], seq)
}

// behind lists the entries that are older than what was heard of their documents.
func (f *fresh) behind(docs []names.Doc, entries []port.Entry, now time.Time) (at []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.turned) >= 2*freshTurn {
		return nil // for want of news nobody has turned
	}
	for i, d := range docs {
		if entries[i].Revision < max(f.young[d], f.old[d]) {
			at = append(at, i)
		}
	}
	return at
}

func (f *fresh) forget() {
	f.mu.Lock()
	f.young, f.old = nil, nil
	f.mu.Unlock()
}

// readFresh is readMany, but waits a little for replicas that have not heard of what this node has: who is attached
// after an update was acknowledged must see it at once. What does not come in time comes with the second read.
func (s *Set) readFresh(ctx context.Context, docs []names.Doc) ([]port.Entry, error) {
	entries, err := s.readMany(ctx, docs)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(freshWait)
	for pause := freshPause; ; pause *= 2 {
		at := s.fresh.behind(docs, entries, time.Now())
		if len(at) == 0 {
			return entries, nil
		}
		late := make([]names.Doc, len(at))
		for i, k := range at {
			late[i] = docs[k]
		}
		if time.Now().After(end) {
			s.loader.putOff(late) // whatever MayLag says
			return entries, nil
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
		s.metrics.lagging.Add(int64(len(late)))
		again, err := s.readMany(ctx, late)
		if err != nil {
			return nil, err
		}
		for i, k := range at {
			entries[k] = again[i]
		}
	}
}

package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// dirty is what this node has to commit later: updates that were accepted while the store could not be reached (decision
// D23), and copies that are written back after the store was lost.
type dirty struct {
	set *Set

	mu    sync.Mutex // guards the following; no other is taken under it
	m     map[names.Doc]*dirtyDoc
	bytes int
	// away is until when the store is not tried by updates, because it could not be reached just now.
	away time.Time
	wake chan struct{}
}

// dirtyDoc is what has to be done to one document; size is that of the updates, in bytes.
type dirtyDoc struct {
	change change
	size   int
}

const (
	// How long an update waits for the store before it is accepted without.
	acceptAfter = time.Second
	// How long updates do not try the store after that.
	awayFor = time.Second
	// Between two tries to commit what is dirty.
	dirtyPauseMin = 250 * time.Millisecond
	dirtyPauseMax = 5 * time.Second
)

func newDirty(s *Set) *dirty {
	return &dirty{set: s, m: make(map[names.Doc]*dirtyDoc), wake: make(chan struct{}, 1)}
}

// updateOrRemember is Update while lattice-degraded is accept.
func (s *Set) updateOrRemember(ctx context.Context, ts []target) error {
	if !s.dirty.storeAway() {
		tryCtx, cancel := context.WithTimeout(ctx, acceptAfter)
		err := s.update(tryCtx, ts)
		cancel()
		away := errors.Is(err, port.ErrUnavailable) && !errors.Is(err, errBusy) || errors.Is(err, port.ErrTimeout)
		if !away || ctx.Err() != nil || !s.bus.Up() {
			return err
		}
		s.dirty.notReached()
	}
	if err := s.dirty.remember(ts); err != nil {
		return err
	}
	batch := make([]docChange, len(ts))
	for i := range ts {
		batch[i] = docChange{doc: ts[i].doc, form: asUpdate, delta: ts[i].delta}
	}
	if _, err := s.share(batch); err != nil {
		return err
	}
	if err := s.bus.Flush(ctx); err != nil {
		return notFlushed(err)
	}
	return nil
}

func (d *dirty) storeAway() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.away)
}

func (d *dirty) notReached() {
	d.mu.Lock()
	d.away = time.Now().Add(awayFor)
	d.mu.Unlock()
}

var errDirtyFull = fmt.Errorf("too much waits for the store: %w", port.ErrStoreFull)

// remember takes the documents of an update, all or none.
func (d *dirty) remember(ts []target) error {
	size := 0
	sizes := make([]int, len(ts))
	for i := range ts {
		sizes[i] = len(ts[i].delta.appendStored(nil, ts[i].doc.Kind))
		size += sizes[i]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.m)+len(ts) > maxDirtyDocs || d.bytes+size > maxDirtyBytes {
		return errDirtyFull
	}
	for i := range ts {
		d.put(ts[i].doc, dirtyDoc{change{delta: &ts[i].delta}, sizes[i]})
	}
	poke(d.wake)
	return nil
}

// back has a copy written back. It is bounded by the copies that there are.
func (d *dirty) back(doc names.Doc, c *content) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(doc, dirtyDoc{change: change{back: c}})
}

// edit has a record changed.
func (d *dirty) edit(doc names.Doc, f func(old []byte) ([]byte, time.Duration)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(doc, dirtyDoc{change: change{edit: f}})
}

// put joins what has to be done to a document with what waits already. The caller holds the lock.
func (d *dirty) put(doc names.Doc, x dirtyDoc) {
	was := d.m[doc]
	if was == nil {
		d.m[doc] = &x
		d.bytes += x.size
		d.set.metrics.dirty.Add(1)
		return
	}
	for _, j := range []struct{ to, from **content }{{&was.change.delta, &x.change.delta}, {&was.change.back, &x.change.back}} {
		var both joined
		both.add(doc.Kind, *j.to)
		both.add(doc.Kind, *j.from)
		*j.to = both.c
	}
	if x.change.edit != nil {
		was.change.edit = x.change.edit
	}
	was.size += x.size
	d.bytes += x.size
}

// take removes up to n documents to work on them.
func (d *dirty) take(n int) map[names.Doc]*dirtyDoc {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[names.Doc]*dirtyDoc, min(n, len(d.m)))
	for doc, x := range d.m {
		if len(out) == n {
			break
		}
		out[doc] = x
		delete(d.m, doc)
		d.bytes -= x.size
		d.set.metrics.dirty.Add(-1)
	}
	return out
}

// run commits what is dirty as soon as the store can be reached, until ctx ends.
func (d *dirty) run(ctx context.Context) {
	wait := dirtyPauseMin
	for {
		if d.set.bus.Up() && d.set.store.Ready() {
			left, failed := d.flush(ctx)
			if !failed {
				wait = dirtyPauseMin
			}
			if left && !failed {
				continue
			}
		}
		d.mu.Lock()
		left := len(d.m) > 0
		d.mu.Unlock()
		var timer <-chan time.Time
		if left {
			timer = time.After(wait)
			wait = min(2*wait, dirtyPauseMax)
		}
		select {
		case <-timer:
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// flush commits some of the dirty documents, at most 16 at a time.
func (d *dirty) flush(ctx context.Context) (left, failed bool) {
	work := d.take(256)
	if len(work) == 0 {
		return false, false
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var wg sync.WaitGroup
	sem := make(chan struct{}, maxParallel)
	var mu sync.Mutex
	for doc, x := range work {
		sem <- struct{}{}
		wg.Go(func() {
			defer func() { <-sem }()
			if !d.commit(ctx, doc, x) {
				mu.Lock()
				failed = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.m) > 0, failed
}

// commit commits one document; false: it could not be, and waits again.
func (d *dirty) commit(ctx context.Context, doc names.Doc, x *dirtyDoc) bool {
	w := waiter{change: x.change}
	err := d.set.commitLone(ctx, doc, &w)
	if err == nil {
		return true
	}
	if errors.Is(err, port.ErrLimit) || errors.Is(err, port.ErrTooLarge) {
		d.set.metrics.dirtyLost.Add(1)
		d.set.log.Warn("An update that was accepted without the store cannot be committed", "key", doc.StoreKey(), "err", err)
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(doc, *x)
	return false
}

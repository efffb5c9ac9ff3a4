package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// slots are the documents with a commit under way on this node. Changes that come meanwhile are joined and committed
// together in the next round, so that each document has at most one competitor per node, however many write it.
type slots struct {
	set *Set

	mu      sync.Mutex // guards the following and the marked fields of slots, rounds and waiters; no other is taken under it
	m       map[names.Doc]*slot
	waiting int
	stopped bool
	running sync.WaitGroup
}

// slot exists only while a round runs or waits.
type slot struct {
	doc names.Doc
	// have is what the store holds, as far as this burst knows: kept within a burst, forgotten between bursts.
	have  held // the runner's
	known bool // the runner's
	// guess says that have is what it was a moment ago, before this burst; size is that of its text, if it was written
	// in this burst. The runner's.
	guess bool
	size  int
	// first is a value that was read before by an update that wanted to check several documents. Guarded.
	first *held
	// next is the round that waits. Guarded.
	next *round
}

// round is one commit of a document and all changes that it takes along.
type round struct {
	doc      names.Doc
	waiters  []*waiter
	deadline time.Time // guarded until the round runs
	// lone says that there is a waiter for which this document is all, so that the round is announced at once. orphan
	// says the same of a waiter that has given up waiting. Guarded.
	lone, orphan bool
	// over says that the commit has ended, claimed that somebody announces it or has announced it. Guarded.
	over, claimed bool

	// err is why the commit failed; change is what is to be announced and delivered, if tell is set. Written before
	// committed is closed.
	err    error
	change docChange
	tell   bool
	// epoch is the connection's when it was announced.
	epoch uint64
	// sent is why the announcement failed, held what still waits to be delivered here. Written before announced is
	// closed.
	sent error
	held []*heldChange
	// flushed is why the lone waiters cannot be sure. Written before done is closed.
	flushed error

	// committed and announced are nil unless somebody waits who has other documents too.
	committed, announced chan struct{}
	// done is closed when the lone waiters have all that was promised to them.
	done chan struct{}
}

// waiter is one change that waits for its round.
type waiter struct {
	change change
	// err is this waiter's own failure, such as a limit; written by the runner.
	err error
	// out is why the change was left out for good; the runner's.
	out error
	// record is the value after a change of a record; written by the runner.
	record []byte
}

// change is what somebody wants to do to a document.
type change struct {
	// delta is an update of a backend; back is a state that is written back and is merged with its generations.
	delta, back *content
	// edit changes a record: see Set.ChangeRecord.
	edit func(old []byte) (value []byte, ttl time.Duration)
}

func newSlots(s *Set) *slots { return &slots{set: s, m: make(map[names.Doc]*slot)} }

var errBusy = fmt.Errorf("too many changes wait: %w", port.ErrUnavailable)

// join has a change wait for the document's next round. lone tells that the document is the only one of its update.
// first, which may be nil, is what the store held a moment ago.
func (x *slots) join(ctx context.Context, doc names.Doc, w *waiter, lone bool, first *held) (*round, error) {
	deadline, ok := ctx.Deadline()
	if limit := time.Now().Add(commitTimeout); !ok || deadline.After(limit) {
		deadline = limit
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	sl := x.m[doc]
	switch {
	case x.stopped:
		return nil, fmt.Errorf("stopped: %w", port.ErrUnavailable)
	case x.waiting >= maxWaiters, sl == nil && len(x.m) >= maxSlots:
		x.set.metrics.refused.Add(1)
		return nil, errBusy
	}
	start := sl == nil
	if start {
		sl = &slot{doc: doc}
		x.m[doc] = sl
		x.set.metrics.slots.Add(1)
	}
	r := sl.next
	if r == nil {
		r = &round{doc: doc, done: make(chan struct{})}
		sl.next = r
	}
	r.waiters = append(r.waiters, w)
	// A little longer than anybody waits: what is committed in the end must be announced.
	if deadline = deadline.Add(outcomeGrace); deadline.After(r.deadline) {
		r.deadline = deadline
	}
	if lone {
		r.lone = true
	} else if r.committed == nil {
		r.committed, r.announced = make(chan struct{}), make(chan struct{})
	}
	if first != nil && (sl.first == nil || first.rev > sl.first.rev) {
		sl.first = first
	}
	x.waiting++
	x.set.metrics.waiters.Add(1)
	if start {
		x.running.Add(1)
		go x.run(sl)
	}
	return r, nil
}

// run commits the round that waits. The announcement of a round precedes that of the next; its flush need not.
func (x *slots) run(sl *slot) {
	defer x.running.Done()
	r := x.take(sl)
	ctx, cancel := context.WithDeadline(x.set.ctx, r.deadline)
	defer cancel()
	r.err = x.set.commit(ctx, sl, r)
	if x.settle(r) {
		x.set.announce([]*round{r})
	}
	x.follow(sl)
	x.finish(ctx, r)
}

// take begins the slot's next round.
func (x *slots) take(sl *slot) *round {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := sl.next
	sl.next = nil
	x.waiting -= len(r.waiters)
	x.set.metrics.waiters.Add(-int64(len(r.waiters)))
	if f := sl.first; f != nil {
		if !sl.known || f.rev > sl.have.rev {
			sl.have, sl.known, sl.guess = *f, true, false
		}
		sl.first = nil
	}
	return r
}

// settle ends the commit of a round and tells whether the caller has to announce it.
func (x *slots) settle(r *round) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	r.over = true
	if r.committed != nil {
		close(r.committed)
	}
	if r.lone || r.orphan {
		r.claimed = true
		return true
	}
	return false
}

// follow gives the slot to another goroutine when more waits, so that this one can wait for a flush. Without more the
// burst is over.
func (x *slots) follow(sl *slot) {
	x.mu.Lock()
	over := sl.next == nil
	if over {
		delete(x.m, sl.doc)
		x.set.metrics.slots.Add(-1)
	} else {
		x.running.Add(1)
		go x.run(sl)
	}
	x.mu.Unlock()
	if over && sl.known && sl.size > 0 {
		x.set.recent.put(sl.doc, sl.have, sl.size)
	}
}

// finish gives the lone waiters what was promised to them.
func (x *slots) finish(ctx context.Context, r *round) {
	if r.lone && r.tell {
		r.flushed = x.set.handedOver(ctx, []*round{r})
	}
	close(r.done)
}

// claim takes those rounds of an update that have ended and that nobody announces yet. The others are left to their
// runners: the update does not wait for them any longer.
func (x *slots) claim(rounds []*round) (mine []*round) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range rounds {
		switch {
		case !r.over:
			r.orphan = true
		case !r.claimed:
			r.claimed = true
			mine = append(mine, r)
		}
	}
	return mine
}

// stop refuses further changes and returns when no round runs any more.
func (x *slots) stop() {
	x.mu.Lock()
	x.stopped = true
	x.mu.Unlock()
	x.running.Wait()
}

package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// sweepPause is the shortest time between two looks for requests whose deadline has passed: they end late by that much
// at most.
const sweepPause = 25 * time.Millisecond

// replies takes the answers of one link's requests: each request has a number, which is the last token of its reply
// subject, and one subscription hears them all. The client library has the same; ours costs fewer allocations and
// locks, needs no goroutine that waits, ends at once when the connection is lost, and outlives a rebuilt connection.
type replies struct {
	prefix string // of all reply subjects, ends with a dot
	last   atomic.Uint64

	mu      sync.Mutex // guards the following
	waiting map[uint64]*waiter
	// sweeper ends requests after their deadline. It is set to run at due, which is no later than the first deadline;
	// with due zero it is not set.
	sweeper *time.Timer
	due     time.Time
}

// waiter is one request under way. It gets one outcome, from whoever removed it from replies.waiting: by ch or, when
// there is none, by done.
type waiter struct {
	ch chan outcome

	done     func(port.Message, error)
	deadline time.Time
	// met says that one of two has done its part: the sender no longer needs the message, or there is an outcome. The
	// other one calls done: so the caller's memory is free by then.
	met     atomic.Bool
	outcome outcome
}

// outcome is what came of a request: an answer or an error.
type outcome struct {
	answer *nats.Msg
	err    error
}

// Waiters are used again: those that are waited for, and those that are told.
var (
	askers  = sync.Pool{New: func() any { return &waiter{ch: make(chan outcome, 1)} }}
	waiters = sync.Pool{New: func() any { return &waiter{} }}
)

// errLost ends what was under way on a connection that is gone.
var errLost = fmt.Errorf("connection to nats lost: %w", port.ErrTimeout)

func newReplies(prefix string) *replies {
	return &replies{prefix: prefix, waiting: map[uint64]*waiter{}}
}

// next is a number that no request of this link has had.
func (r *replies) next() uint64 { return r.last.Add(1) }

// add registers a new request.
func (r *replies) add(id uint64, w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[id] = w
	if !w.deadline.IsZero() && (r.due.IsZero() || w.deadline.Before(r.due)) {
		r.sweepAt(w.deadline)
	}
}

// sweepAt sets the sweeper. The caller holds mu.
func (r *replies) sweepAt(due time.Time) {
	r.due = due
	if r.sweeper == nil {
		r.sweeper = time.AfterFunc(time.Until(due), r.sweep)
		return
	}
	r.sweeper.Reset(time.Until(due))
}

// sweep ends the requests whose deadline has passed. Since most requests are answered long before, and those of one
// destination have deadlines in the order of their start, it looks at all of them, but rarely.
func (r *replies) sweep() {
	var over []*waiter
	var next time.Time
	r.mu.Lock()
	now := time.Now()
	for id, w := range r.waiting {
		switch {
		case w.deadline.IsZero():
		case !w.deadline.After(now):
			delete(r.waiting, id)
			over = append(over, w)
		case next.IsZero() || w.deadline.Before(next):
			next = w.deadline
		}
	}
	r.due = time.Time{}
	if !next.IsZero() {
		if soonest := now.Add(sweepPause); next.Before(soonest) {
			next = soonest
		}
		r.sweepAt(next)
	}
	r.mu.Unlock()
	for _, w := range over {
		w.take(outcome{err: port.ErrTimeout})
	}
}

// remove takes a request out; who gets it must give it its outcome or forget it. Nil: somebody else has got it.
func (r *replies) remove(id uint64) *waiter {
	r.mu.Lock()
	w := r.waiting[id]
	delete(r.waiting, id)
	r.mu.Unlock()
	return w
}

// subject is where the answer to a request is awaited.
func (r *replies) subject(id uint64) string {
	var buf [128]byte
	return string(strconv.AppendUint(append(buf[:0], r.prefix...), id, 36))
}

// deliver hands an answer to its request. Answers to requests that are gone are dropped.
func (r *replies) deliver(m *nats.Msg) {
	token, ok := strings.CutPrefix(m.Subject, r.prefix)
	if !ok {
		return
	}
	id, err := strconv.ParseUint(token, 36, 64)
	if err != nil {
		return
	}
	if w := r.remove(id); w != nil {
		w.take(outcome{answer: m})
	}
}

// cancel ends a request whose answer nobody wants any more; an answer that comes is dropped.
func (r *replies) cancel(id uint64) {
	if w := r.remove(id); w != nil {
		w.take(outcome{err: context.Canceled})
	}
}

// fail ends all requests under way: their answers can no longer arrive.
func (r *replies) fail() {
	r.mu.Lock()
	lost := r.waiting
	r.waiting = map[uint64]*waiter{}
	r.mu.Unlock()
	for _, w := range lost {
		w.take(outcome{err: errLost})
	}
}

// take gives w its outcome.
func (w *waiter) take(o outcome) {
	if w.ch != nil {
		w.ch <- o
		return
	}
	w.outcome = o
	if w.met.Swap(true) {
		w.finish()
	}
}

// sent notes that the message was handed over and w's caller may use its memory again.
func (w *waiter) sent() {
	if w.met.Swap(true) {
		// The caller may hold a lock that done needs.
		go w.finish()
	}
}

// finish tells w's caller what came of the request. Nobody else knows w by now.
func (w *waiter) finish() {
	done, o := w.done, w.outcome
	w.forget()
	done(o.meaning())
}

// forget keeps w for another request.
func (w *waiter) forget() {
	w.done, w.outcome = nil, outcome{}
	w.met.Store(false)
	waiters.Put(w)
}

// meaning is what an outcome is at the joint.
func (o outcome) meaning() (port.Message, error) {
	switch {
	case o.err != nil:
		return port.Message{}, o.err
	case len(o.answer.Data) == 0 && o.answer.Header.Get("Status") == "503":
		return port.Message{}, port.ErrNoResponders
	}
	return message(o.answer), nil
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
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
	prefix string    // of all reply subjects, ends with a dot
	spare  sync.Pool // of *waiter with a channel

	mu      sync.Mutex // guards the following
	last    uint64
	waiting map[uint64]*waiter
	// sweeper ends requests after their deadline. It is set to run at due, which is no later than the first deadline;
	// with due zero it is not set.
	sweeper *time.Timer
	due     time.Time
}

// waiter is one request under way. It takes exactly one value, from whoever removed it from replies.waiting: by ch or,
// when there is none, by done.
type waiter struct {
	ch chan *nats.Msg

	done     func(port.Message, error)
	deadline time.Time
}

func newReplies(prefix string) *replies {
	r := &replies{prefix: prefix, waiting: map[uint64]*waiter{}}
	r.spare.New = func() any { return &waiter{ch: make(chan *nats.Msg, 1)} }
	return r
}

// add registers a new request.
func (r *replies) add(w *waiter) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.waiting[r.last] = w
	if !w.deadline.IsZero() && (r.due.IsZero() || w.deadline.Before(r.due)) {
		r.sweepAt(w.deadline)
	}
	return r.last
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
		w.done(port.Message{}, port.ErrTimeout)
	}
}

// remove ends a request that nobody has answered; false: its value has been, or is being, given to it.
func (r *replies) remove(id uint64) bool {
	r.mu.Lock()
	_, ok := r.waiting[id]
	delete(r.waiting, id)
	r.mu.Unlock()
	return ok
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
	r.mu.Lock()
	w := r.waiting[id]
	delete(r.waiting, id)
	r.mu.Unlock()
	if w != nil {
		w.take(m)
	}
}

// take gives w its one value; nil: the answer can no longer arrive.
func (w *waiter) take(m *nats.Msg) {
	if w.ch != nil {
		w.ch <- m
		return
	}
	w.done(meaning(m))
}

// fail ends all requests under way: their answers can no longer arrive.
func (r *replies) fail() {
	r.mu.Lock()
	lost := r.waiting
	r.waiting = map[uint64]*waiter{}
	r.mu.Unlock()
	for _, w := range lost {
		w.take(nil)
	}
}

// meaning is what came of a request.
func meaning(answer *nats.Msg) (port.Message, error) {
	switch {
	case answer == nil:
		return port.Message{}, fmt.Errorf("connection to nats lost: %w", port.ErrTimeout)
	case len(answer.Data) == 0 && answer.Header.Get("Status") == "503":
		return port.Message{}, port.ErrNoResponders
	}
	return message(answer), nil
}

// start sends m; done is told what came of it, unless start returns an error.
func (l *link) start(m port.Message, deadline time.Time, done func(port.Message, error)) error {
	id := l.replies.add(&waiter{done: done, deadline: deadline})
	m.Reply = l.replies.subject(id)
	if err := l.publish(m); err != nil && l.replies.remove(id) {
		return err
	}
	return nil
}

// request sends m and waits for its answer.
func (l *link) request(ctx context.Context, m port.Message) (port.Message, error) {
	if err := ctx.Err(); err != nil {
		return port.Message{}, ended(err)
	}
	w := l.replies.spare.Get().(*waiter)
	defer l.replies.spare.Put(w)
	id := l.replies.add(w)
	m.Reply = l.replies.subject(id)
	if err := l.publish(m); err != nil {
		if !l.replies.remove(id) {
			<-w.ch
		}
		return port.Message{}, err
	}
	select {
	case answer := <-w.ch:
		return meaning(answer)
	case <-ctx.Done():
		if l.replies.remove(id) {
			return port.Message{}, ended(ctx.Err())
		}
		return meaning(<-w.ch)
	}
}

// ended gives the end of a context its meaning at the joint: a deadline is port.ErrTimeout too.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return err
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// replies takes the answers of one link's requests: each request has a number, which is the last token of its reply
// subject, and one subscription hears them all. The client library has the same; ours costs fewer allocations and
// locks, ends at once when the connection is lost, and outlives a rebuilt connection.
type replies struct {
	prefix string    // of all reply subjects, ends with a dot
	spare  sync.Pool // of *waiter

	mu      sync.Mutex // guards the following
	last    uint64
	waiting map[uint64]*waiter
}

// waiter is one request under way. It takes exactly one value, sent by whoever removed it from replies.waiting.
type waiter struct{ ch chan *nats.Msg }

func newReplies(prefix string) *replies {
	r := &replies{prefix: prefix, waiting: map[uint64]*waiter{}}
	r.spare.New = func() any { return &waiter{ch: make(chan *nats.Msg, 1)} }
	return r
}

// add registers a new request.
func (r *replies) add() (uint64, *waiter) {
	w := r.spare.Get().(*waiter)
	r.mu.Lock()
	r.last++
	id := r.last
	r.waiting[id] = w
	r.mu.Unlock()
	return id, w
}

// remove ends a request that nobody has answered; false: an answer is in w's channel already.
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
		w.ch <- m
	}
}

// fail ends all requests under way: their answers can no longer arrive.
func (r *replies) fail() {
	r.mu.Lock()
	lost := r.waiting
	r.waiting = map[uint64]*waiter{}
	r.mu.Unlock()
	for _, w := range lost {
		w.ch <- nil
	}
}

// request sends m and waits for its answer.
func (l *link) request(ctx context.Context, m port.Message) (port.Message, error) {
	if err := ctx.Err(); err != nil {
		return port.Message{}, ended(err)
	}
	id, w := l.replies.add()
	m.Reply = l.replies.subject(id)
	if err := l.publish(m); err != nil {
		if !l.replies.remove(id) {
			<-w.ch
		}
		l.replies.spare.Put(w)
		return port.Message{}, err
	}
	var answer *nats.Msg
	select {
	case answer = <-w.ch:
	case <-ctx.Done():
		if l.replies.remove(id) {
			l.replies.spare.Put(w)
			return port.Message{}, ended(ctx.Err())
		}
		answer = <-w.ch
	}
	l.replies.spare.Put(w)
	if answer == nil {
		return port.Message{}, fmt.Errorf("connection to nats lost: %w", port.ErrTimeout)
	}
	if len(answer.Data) == 0 && answer.Header.Get("Status") == "503" {
		return port.Message{}, port.ErrNoResponders
	}
	return message(answer), nil
}

// ended gives the end of a context its meaning at the joint: a deadline is port.ErrTimeout too.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return err
}

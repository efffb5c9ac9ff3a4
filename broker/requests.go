package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// start sends m as the request id; done is told what came of it, unless start returns an error.
func (l *link) start(id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error {
	w := waiters.Get().(*waiter)
	w.done, w.deadline = done, deadline
	l.replies.add(id, w)
	m.Reply = l.replies.subject(id)
	if err := l.publish(m); err != nil && l.replies.remove(id) != nil {
		w.forget()
		return err
	}
	w.sent()
	return nil
}

// request sends m and waits for its answer.
func (l *link) request(ctx context.Context, m port.Message) (port.Message, error) {
	if err := ctx.Err(); err != nil {
		return port.Message{}, ended(err)
	}
	w := askers.Get().(*waiter)
	defer askers.Put(w)
	id := l.replies.next()
	l.replies.add(id, w)
	m.Reply = l.replies.subject(id)
	if err := l.publish(m); err != nil {
		if l.replies.remove(id) == nil {
			<-w.ch
		}
		return port.Message{}, err
	}
	select {
	case o := <-w.ch:
		return o.meaning()
	case <-ctx.Done():
		if l.replies.remove(id) != nil {
			return port.Message{}, ended(ctx.Err())
		}
		return (<-w.ch).meaning()
	}
}

// ended gives the end of a context its meaning at the joint: a deadline is port.ErrTimeout too.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return err
}

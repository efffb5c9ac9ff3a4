package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// again tells whether work that has failed is to be tried again: the store was away. Work for a connection that has left
// is not, nor is what can never succeed.
func (p *Pool) again(w *unfinishedWork, err error) bool {
	if w.conn.left() || errors.Is(err, port.ErrGone) {
		return false
	}
	if errors.Is(err, port.ErrUnavailable) || errors.Is(err, port.ErrTimeout) {
		return true
	}
	p.log.Warn("A connection cannot be shown what it was attached to", "conn", w.conn.id().String(), "err", err)
	return false
}

// unfinished is what could not be done at a hello because the store was away; it is tried again until it succeeds.
type unfinished struct {
	mu   sync.Mutex // guards todo
	todo []unfinishedWork
}

type unfinishedWork struct {
	conn *conn
	do   func(context.Context) error
}

const (
	// unfinishedPause is the time between two rounds.
	unfinishedPause = time.Second
	// maxUnfinished bounds what waits; beyond, the client has to be attached again by its backend.
	maxUnfinished = 1 << 20
)

func (u *unfinished) add(w ...unfinishedWork) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.todo = append(u.todo, w[:min(len(w), max(0, maxUnfinished-len(u.todo)))]...)
}

func (u *unfinished) take() []unfinishedWork {
	u.mu.Lock()
	defer u.mu.Unlock()
	todo := u.todo
	u.todo = nil
	return todo
}

// finish tries again until ctx ends. The first failure ends a round, since the store is still away, and goes behind the
// others.
func (p *Pool) finish(ctx context.Context) {
	tick := time.NewTicker(unfinishedPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		todo := slices.DeleteFunc(p.unfinished.take(), func(w unfinishedWork) bool { return w.conn.left() })
		for i, w := range todo {
			try, cancel := context.WithTimeout(ctx, answerTimeout)
			err := w.do(try)
			cancel()
			if err != nil && p.again(&w, err) {
				p.unfinished.add(todo[i+1:]...)
				p.unfinished.add(w)
				break
			}
		}
	}
}

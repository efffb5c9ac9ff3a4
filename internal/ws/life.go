package ws

import (
	"context"
	"slices"
	"sync"
	"time"
)

// life is a connection's context. It is the connection's own implementation because one of package context costs an
// idle connection 300 bytes once a child has been derived; children are still told without a goroutine of their own.
// The zero value lives.
type life struct {
	mu    sync.Mutex    // protects the following; innermost
	done  chan struct{} // made when asked for
	err   *lifeError    // set when it is over
	funcs []*afterFunc  // to be called then; nil when there are none
}

type afterFunc struct{ call func() }

// Deadline returns none.
func (*life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nothing.
func (*life) Value(any) any { return nil }

// Done returns the channel that is closed when the connection leaves.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err is nil while the connection lives, afterwards an error that is both context.Canceled and the cause.
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return nil
	}
	return l.err
}

// AfterFunc calls f in a goroutine of its own when the connection leaves, unless the returned function is called before.
// Package context looks for this method.
func (l *life) AfterFunc(f func()) func() bool {
	a := &afterFunc{f}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	l.funcs = append(l.funcs, a)
	return func() bool { return l.forget(a) }
}

func (l *life) forget(a *afterFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.funcs, a)
	if i < 0 {
		return false
	}
	l.funcs = slices.Delete(l.funcs, i, i+1)
	if len(l.funcs) == 0 {
		l.funcs = nil
	}
	return true
}

// finish ends it; only the first cause counts.
func (l *life) finish(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = &lifeError{cause}
	if l.done != nil {
		close(l.done)
	}
	for _, a := range l.funcs {
		go a.call()
	}
	l.funcs = nil
}

// lifeError is the Err of a connection's context, and thereby the cause of contexts derived from it.
type lifeError struct{ cause error }

// Error says that the context was cancelled and why.
func (e *lifeError) Error() string { return "context canceled: " + e.cause.Error() }

// Unwrap returns the cause.
func (e *lifeError) Unwrap() error { return e.cause }

// Is makes it a context.Canceled, too.
func (e *lifeError) Is(target error) bool { return target == context.Canceled }

var _ context.Context = (*life)(nil)

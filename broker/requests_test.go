package broker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestDeadlines: each request ends after its own deadline, at most one pause late, whatever the order they came in; one
// that was answered is not ended again, and with none left the clock stands still.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplies("_INBOX_test.")
		add := func(after time.Duration, done func(port.Message, error)) uint64 {
			id, w := r.next(), &waiter{deadline: time.Now().Add(after), done: done}
			r.add(id, w)
			w.sent()
			return id
		}
		begin := time.Now()
		var mu sync.Mutex                          // guards ended
		ended := map[time.Duration]time.Duration{} // by deadline
		for _, after := range []time.Duration{time.Second, 30 * time.Second, 10 * time.Millisecond, 11 * time.Millisecond, -1} {
			add(after, func(_ port.Message, err error) {
				if !errors.Is(err, port.ErrTimeout) {
					t.Errorf("after %v: %v", after, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if _, twice := ended[after]; twice {
					t.Errorf("after %v: a second time", after)
				}
				ended[after] = time.Since(begin)
			})
		}
		answers := 0
		answered := add(time.Minute, func(_ port.Message, err error) {
			if err != nil {
				t.Errorf("answered: %v", err)
			}
			answers++
		})
		for range 2 {
			r.deliver(&nats.Msg{Subject: r.subject(answered)})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if answers != 1 {
			t.Errorf("%d answers", answers)
		}
		if len(ended) != 5 {
			t.Errorf("%d of 5 have ended", len(ended))
		}
		for after, at := range ended {
			if at < after || at > after+sweepPause {
				t.Errorf("the one due after %v has ended after %v", after, at)
			}
		}
		if !r.due.IsZero() || len(r.waiting) != 0 {
			t.Errorf("still due at %v with %d waiting", r.due, len(r.waiting))
		}
	})
}

// TestCloseEndsRequests: a request under way ends, once, when the broker is closed, and none can be started after.
func TestCloseEndsRequests(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	asked := make(chan struct{}, 10)
	if _, err := b.Serve("sw.main.rpc.x", names.Queue, func(port.Message) { asked <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 10)
	start := func() error {
		return b.Start(port.LaneCalls, b.NextRequest(port.LaneCalls), port.Message{Subject: "sw.main.rpc.x"}, time.Now().Add(time.Hour),
			func(_ port.Message, err error) { ended <- err })
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	b.Close(context.Background())
	if err := <-ended; !errors.Is(err, port.ErrTimeout) {
		t.Errorf("under way: %v", err)
	}
	if err := start(); !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	if len(ended) > 0 {
		t.Errorf("ended again: %v", <-ended)
	}
}

// TestDoneAfterSending: whatever ends a request while its message is still being handed over, its caller is told after
// that, from another goroutine.
func TestDoneAfterSending(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *replies, id uint64){
		"cancelled": (*replies).cancel,
		"lost":      func(r *replies, _ uint64) { r.fail() },
		"answered":  func(r *replies, id uint64) { r.deliver(&nats.Msg{Subject: r.subject(id)}) },
		"overdue":   func(r *replies, _ uint64) { r.sweep() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newReplies("_INBOX_test.")
				var mu sync.Mutex // held by the caller of start
				told := 0         // guarded by mu
				id, w := r.next(), &waiter{deadline: time.Now(), done: func(port.Message, error) {
					mu.Lock()
					defer mu.Unlock()
					told++
				}}
				mu.Lock()
				r.add(id, w)
				end(r, id)
				r.cancel(id)
				mu.Unlock()
				synctest.Wait()
				mu.Lock()
				if told != 0 {
					t.Error("told while the message was in use")
				}
				w.sent()
				mu.Unlock()
				synctest.Wait()
				if told != 1 {
					t.Errorf("told %d times", told)
				}
			})
		})
	}
}

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
		begin := time.Now()
		var mu sync.Mutex                          // guards ended
		ended := map[time.Duration]time.Duration{} // by deadline
		for _, after := range []time.Duration{time.Second, 30 * time.Second, 10 * time.Millisecond, 11 * time.Millisecond, -1} {
			r.add(&waiter{deadline: begin.Add(after), done: func(_ port.Message, err error) {
				if !errors.Is(err, port.ErrTimeout) {
					t.Errorf("after %v: %v", after, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if _, twice := ended[after]; twice {
					t.Errorf("after %v: a second time", after)
				}
				ended[after] = time.Since(begin)
			}})
		}
		answers := 0
		answered := r.add(&waiter{deadline: begin.Add(time.Minute), done: func(_ port.Message, err error) {
			if err != nil {
				t.Errorf("answered: %v", err)
			}
			answers++
		}})
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
		return b.Start(port.LaneCalls, port.Message{Subject: "sw.main.rpc.x"}, time.Now().Add(time.Hour),
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

package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// TestNoticesAreBounded floods the notices with a backend that is down: so many requests at once and no more, so many
// waiting and no more, and after ten minutes all are given up.
func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var busy, most, lost, full atomic.Int64
		start := time.Now()
		q := &notices{
			send: func(context.Context, *notice) error {
				most.Store(max(most.Load(), busy.Add(1)))
				time.Sleep(time.Millisecond)
				busy.Add(-1)
				return errors.New("down")
			},
			obsolete: func(u names.UserID) bool { return u == "back" },
			lost: func(_ *notice, err error) {
				if errors.Is(err, errTooManyNotices) {
					full.Add(1)
					return
				}
				lost.Add(1)
			},
			sent: func(*notice) { t.Error("a notice counts as sent") },
			now:  func() time.Duration { return time.Since(start) },
			wake: make(chan struct{}, 1),
		}
		// Nobody takes them out yet.
		for range maxNotices + 5 {
			q.add(&notice{user: "u"})
		}
		if full.Load() != 5 {
			t.Errorf("%d notices were refused, want 5", full.Load())
		}
		q.heap = q.heap[:100]
		q.add(&notice{user: "back"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { q.run(ctx); close(done) }()
		time.Sleep(noticeLife + time.Minute)
		if most.Load() != noticeSenders {
			t.Errorf("%d at once, want %d", most.Load(), noticeSenders)
		}
		// The user who came back is no loss.
		if lost.Load() != 100 || len(q.heap) != 0 {
			t.Errorf("%d given up and %d wait, want 100 and 0", lost.Load(), len(q.heap))
		}
		cancel()
		<-done
	})
}

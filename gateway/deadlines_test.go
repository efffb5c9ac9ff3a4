package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestDeadlinesInOrder adds entries at random and sees each expire at its time, not before and not later.
func TestDeadlinesInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ats := rapid.SliceOfN(rapid.IntRange(0, 5000), 1, 30).Draw(rt, "milliseconds")
		synctest.Test(t, func(t *testing.T) {
			d := newDeadlines()
			start := time.Now()
			now := func() time.Duration { return time.Since(start) }
			ctx, cancel := context.WithCancel(t.Context())
			want := map[*session]time.Duration{}
			for _, ms := range ats {
				s := &session{}
				want[s] = time.Duration(ms) * time.Millisecond
			}
			at := maps.Clone(want)
			order := slices.Collect(maps.Keys(want))
			var wg sync.WaitGroup
			wg.Go(func() {
				d.run(ctx, now, func(s *session) {
					if at := now(); at != want[s] {
						t.Errorf("expired at %v, want %v", at, want[s])
					}
					delete(want, s)
				})
			})
			for _, s := range order {
				d.add(s, at[s])
			}
			time.Sleep(6 * time.Second)
			cancel()
			wg.Wait()
			if len(want) > 0 {
				t.Errorf("%d sessions never expired", len(want))
			}
		})
	})
}

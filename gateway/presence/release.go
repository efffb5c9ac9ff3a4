package presence

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// stop makes no further attempts. It waits a little for the requests under way, ends those that are left, and gives back
// what this node has claimed, so that the next owner need not wait for the end of the lease.
func (n *notices) stop(ctx context.Context) {
	n.mu.Lock()
	n.stopped = true
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	soon, cancelSoon := context.WithTimeout(ctx, stopWait)
	defer cancelSoon()
	n.awaitIdle(soon)
	n.mu.Lock()
	left := slices.Collect(maps.Keys(n.running))
	n.mu.Unlock()
	n.t.mu.Lock()
	for _, k := range left {
		if k.cancel != nil {
			k.cancel(context.Canceled)
		}
	}
	n.t.mu.Unlock()
	n.awaitIdle(ctx)
	n.release(ctx)
}

func (n *notices) awaitIdle(ctx context.Context) {
	for ctx.Err() == nil {
		n.mu.Lock()
		busy := n.busy
		n.mu.Unlock()
		if busy == 0 {
			return
		}
		select {
		case <-n.idle:
		case <-ctx.Done():
		}
	}
}

// release gives claimed notices back, or notes that they are answered.
func (n *notices) release(ctx context.Context) {
	t := n.t
	var wg sync.WaitGroup
	places := make(chan *task)
	for range noticeSenders {
		wg.Go(func() {
			for k := range places {
				// If it fails, the lease ends by itself.
				_ = t.change(ctx, k.u, func(r Record) (Record, bool) {
					if k.answered {
						return r.sent(k.period)
					}
					return r.release(k.period, t.d.Node)
				})
			}
		})
	}
	n.mu.Lock()
	claimed := slices.DeleteFunc(slices.Clone(n.heap), func(k *task) bool { return !k.answered && k.lease <= t.now() })
	n.mu.Unlock()
	for _, k := range claimed {
		if ctx.Err() == nil {
			places <- k
		}
	}
	close(places)
	wg.Wait()
}

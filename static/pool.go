package static

import (
	"context"
	"log/slog"
	"sync"
)

// Pools are the disk pools of one configuration. Each bounds how much work that waits for the disk goes on at the same
// time, so that a dead disk or network file system holds up some requests and not all threads. A pool is a semaphore:
// the work is done in the request's own goroutine. Sendfile is not counted, because it waits for the client rather
// than for the disk. Pools may be used concurrently.
type Pools struct {
	named map[string]*pool
	jobs  sync.Pool // of *job
	log   *slog.Logger
}

// NewPools makes the configured pools. There is always one named "default", with 40 unless configured.
func NewPools(configs map[string]DiskPoolConfig, log *slog.Logger) *Pools {
	p := &Pools{named: make(map[string]*pool, len(configs)+1), jobs: sync.Pool{New: newJob}, log: log}
	p.named[DefaultPool] = newPool(DefaultDiskPoolConfig().NumThreads)
	for name, c := range configs {
		p.named[name] = newPool(c.NumThreads)
	}
	return p
}

// get returns a pool by its name. Where there is none the default one stands in, with a warning.
func (p *Pools) get(name string) *pool {
	found, ok := p.named[name]
	if !ok {
		if name != "" {
			p.log.Warn("Unknown disk pool, using default", "pool", name)
		}
		return p.named[DefaultPool]
	}
	return found
}

// pool is a semaphore.
type pool struct{ slots chan struct{} }

func newPool(n int) *pool { return &pool{slots: make(chan struct{}, max(n, 1))} }

// enter waits for a free slot, which leave gives back. It fails when the context is done before.
func (p *pool) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pool) leave() { <-p.slots }

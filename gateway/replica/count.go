package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// counts knows how many shared keys each namespace has: asked of the store, then counted on.
type counts struct {
	set *Set

	mu sync.Mutex // guards m; no other is taken under it
	m  map[names.Namespace]*count
}

type count struct {
	n  int
	at time.Time
}

// maxCounts bounds the namespaces that are counted on; beyond, one is forgotten and counted anew when it is needed.
const maxCounts = 10_000

func newCounts(s *Set) *counts { return &counts{set: s, m: make(map[names.Namespace]*count)} }

// room tells whether n more shared keys fit into a namespace: port.ErrLimit when they do not. The mark of a key that
// was removed counts for a minute.
func (c *counts) room(ctx context.Context, ns names.Namespace, n int) error {
	limit := c.set.limits().MaxKeysPerNamespace
	now := time.Now()
	c.mu.Lock()
	k := c.m[ns]
	known := k != nil && now.Sub(k.at) < countLife
	fits := known && k.n+n <= limit
	tired := known && !fits && now.Sub(k.at) < time.Second
	c.mu.Unlock()
	switch {
	case fits:
		return nil
	case tired:
		return c.refuse(ns, limit)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	page, err := c.set.store.Changes(ctx, names.SharedIn(ns), 0, 1)
	if err != nil {
		return err
	}
	have := int(page.More) + len(page.Changes)
	c.mu.Lock()
	if len(c.m) >= maxCounts {
		for other := range c.m {
			delete(c.m, other)
			break
		}
	}
	c.m[ns] = &count{n: have, at: now}
	c.mu.Unlock()
	if have+n > limit {
		return c.refuse(ns, limit)
	}
	return nil
}

func (c *counts) refuse(ns names.Namespace, limit int) error {
	c.set.metrics.limited.Add(1)
	return fmt.Errorf("namespace %s has max-keys-per-namespace (%d) keys: %w", ns, limit, port.ErrLimit)
}

// created counts a key that was made, by this node or another.
func (c *counts) created(ns names.Namespace) {
	c.mu.Lock()
	if k := c.m[ns]; k != nil {
		k.n++
	}
	c.mu.Unlock()
}

// forget has everything counted anew.
func (c *counts) forget() {
	c.mu.Lock()
	clear(c.m)
	c.mu.Unlock()
}

// removed counts a key that was removed by this node.
func (c *counts) removed(ns names.Namespace) {
	c.mu.Lock()
	if k := c.m[ns]; k != nil && k.n > 0 {
		k.n--
	}
	c.mu.Unlock()
}

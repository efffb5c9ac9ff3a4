package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Store is a bucket of keys as broker.Store is: numbered over all keys, with compare-and-swap, ends of keys and marks
// that stay for a minute. All nodes of a Network see the same one. Time is that of the bubble. All methods may be called
// concurrently.
type Store struct {
	net    *Network
	bus    *Bus // whose way to the network it goes; nil: its own
	bucket *bucket
}

// Op is a kind of access to a store.
type Op string

// The kinds of access.
const (
	OpGet       Op = "get"
	OpGetLatest Op = "get latest"
	OpGetMany   Op = "get many"
	OpWrite     Op = "write"
	OpDelete    Op = "delete"
	OpChanges   Op = "changes"
	OpLast      Op = "last sequence"
)

// named tells whether it is about one key.
func (op Op) named() bool { return op == OpGet || op == OpGetLatest || op == OpWrite || op == OpDelete }

// Store returns the bucket of a session pool, for tests themselves and for faults.
func (n *Network) Store(pool names.Pool) *Store { return n.store(nil, "pool "+string(pool)) }

// Store returns the bucket of a session pool as this node sees it: when the node is cut off, slow or stalled, so is its
// access.
func (b *Bus) Store(pool names.Pool) *Store { return b.net.store(b, "pool "+string(pool)) }

// NodesStore returns the bucket in which nodes show that they live, as this node sees it.
func (b *Bus) NodesStore() *Store { return b.net.store(b, "nodes") }

func (n *Network) store(bus *Bus, name string) *Store {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.buckets == nil {
		n.buckets = map[string]*bucket{}
	}
	if n.buckets[name] == nil {
		n.buckets[name] = &bucket{leader: newState()}
	}
	return &Store{net: n, bus: bus, bucket: n.buckets[name]}
}

// Ready tells whether the bucket exists.
func (s *Store) Ready() bool {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return !s.bucket.absent
}

// MayLag tells whether reads may be answered by a replica that lags; false after SetAlone.
func (s *Store) MayLag() bool {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return !s.bucket.alone
}

// Get returns the last value of a key from any replica, which may lag.
func (s *Store) Get(ctx context.Context, key string) (port.Entry, error) {
	return access(ctx, s, OpGet, key, func(b *bucket) (port.Entry, error) { return b.any().cells[key].entry(), nil })
}

// GetLatest is Get from the leader: it sees every write that was acknowledged before.
func (s *Store) GetLatest(ctx context.Context, key string) (port.Entry, error) {
	return access(ctx, s, OpGetLatest, key, func(b *bucket) (port.Entry, error) { return b.leader.cells[key].entry(), nil })
}

// GetMany returns the last values of keys, in their order, from any replica.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]port.Entry, error) {
	for _, key := range keys {
		if _, err := names.Bucket("memory").Key(key); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return access(ctx, s, OpGetMany, keys[0], func(b *bucket) ([]port.Entry, error) {
		out := make([]port.Entry, len(keys))
		for i, key := range keys {
			out[i] = b.any().cells[key].entry()
		}
		return out, nil
	})
}

// CompareAndSwap writes value when the key's revision is still rev. With a ttl over 0, rounded up to seconds, the key
// ends after it.
func (s *Store) CompareAndSwap(ctx context.Context, key string, rev uint64, value []byte, ttl time.Duration) (uint64, error) {
	if limit := min(maxValue, s.net.maxPayload); int64(len(value)) > limit {
		return 0, fmt.Errorf("value of %d bytes: %w", len(value), port.ErrTooLarge)
	}
	value = append([]byte{}, value...)
	return access(ctx, s, OpWrite, key, func(b *bucket) (uint64, error) {
		now := time.Now()
		if !b.fits(key, value) && b.leader.cells[key].seq == rev {
			return 0, port.ErrStoreFull
		}
		var end time.Time
		if ttl > 0 {
			end = now.Add((ttl + time.Second - 1).Truncate(time.Second))
		}
		return b.write(now, key, rev, value, end)
	})
}

// Delete removes a key when its revision is still rev, and leaves a mark for a minute.
func (s *Store) Delete(ctx context.Context, key string, rev uint64) (uint64, error) {
	return access(ctx, s, OpDelete, key, func(b *bucket) (uint64, error) {
		now := time.Now()
		return b.write(now, key, rev, nil, now.Add(markerTTL))
	})
}

func (b *bucket) write(now time.Time, key string, rev uint64, value []byte, end time.Time) (uint64, error) {
	if b.leader.cells[key].seq != rev {
		return 0, port.ErrRevision
	}
	return b.leader.put(now, key, value, end), nil
}

// Changes returns the keys that match filter and were last changed above the sequence after, in the order of those
// changes, marks included, limit at most. They come from any replica.
func (s *Store) Changes(ctx context.Context, filter string, after uint64, limit int) (port.Page, error) {
	return access(ctx, s, OpChanges, "", func(b *bucket) (port.Page, error) {
		return b.any().changes(filter, after, limit), nil
	})
}

// LastSequence returns the sequence number of the last change of any key, marks included, from the leader.
func (s *Store) LastSequence(ctx context.Context) (uint64, error) {
	return access(ctx, s, OpLast, "", func(b *bucket) (uint64, error) { return b.leader.last, nil })
}

// access does f on the bucket, with all the faults on the way to it and back. When ctx ends before, a write may still be
// done later.
func access[T any](ctx context.Context, s *Store, op Op, key string, f func(*bucket) (T, error)) (T, error) {
	var none, value T
	if op.named() {
		if _, err := names.Bucket("memory").Key(key); err != nil {
			return none, err
		}
	}
	fail := func(err error) (T, error) { return none, fmt.Errorf("%s %s: %w", op, key, err) }
	if err := ctx.Err(); err != nil {
		return fail(ended(err))
	}
	var failed error
	done := make(chan error, 1)
	run := func() { value, failed = f(s.bucket) }
	if err := s.send(op, key, run, func(err error) { done <- err }); err != nil {
		return fail(err)
	}
	select {
	case err := <-done:
		switch {
		case err != nil:
			return fail(err)
		case failed != nil:
			return fail(failed)
		}
		return value, nil
	case <-ctx.Done():
		return fail(ended(ctx.Err()))
	}
}

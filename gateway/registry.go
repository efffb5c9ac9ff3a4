package gateway

import "sync"

// registry finds a session pool's connections by their number, pending ones included.
type registry struct {
	shards [registryShards]struct {
		mu sync.RWMutex
		m  map[uint64]*conn
	}
}

const registryShards = 32

func newRegistry() *registry {
	r := &registry{}
	for i := range r.shards {
		r.shards[i].m = make(map[uint64]*conn)
	}
	return r
}

func (r *registry) add(c *conn) {
	s := &r.shards[c.n%registryShards]
	s.mu.Lock()
	s.m[c.n] = c
	s.mu.Unlock()
}

func (r *registry) get(n uint64) *conn {
	s := &r.shards[n%registryShards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[n]
}

func (r *registry) remove(c *conn) {
	s := &r.shards[c.n%registryShards]
	s.mu.Lock()
	delete(s.m, c.n)
	s.mu.Unlock()
}

// all returns the connections of this moment.
func (r *registry) all() []*conn {
	var out []*conn
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		for _, c := range s.m {
			out = append(out, c)
		}
		s.mu.RUnlock()
	}
	return out
}

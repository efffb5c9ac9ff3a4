package proxy

import (
	"context"
	"sync"
	"sync/atomic"
)

// Set holds the destinations of a configuration by name. A reload keeps those whose name stays, with their queues,
// connections and tunnels. All methods may be called concurrently.
type Set struct {
	deps  Deps
	apply sync.Mutex // serializes Apply and Close
	names atomic.Pointer[map[string]*Destination]
	// retired are the removed destinations that are being closed.
	retired sync.WaitGroup
	closed  bool
}

// NewSet returns an empty set. deps is for every destination in it.
func NewSet(deps Deps) *Set {
	s := &Set{deps: deps}
	s.names.Store(&map[string]*Destination{})
	return s
}

// Find returns the destination with a name, or nil. It is the Finder for handlers.
func (s *Set) Find(name string) *Destination { return (*s.names.Load())[name] }

// All returns the destinations by name. The map must not be changed.
func (s *Set) All() map[string]*Destination { return *s.names.Load() }

// Apply makes the set hold just the given destinations: new ones start, those that stay take over their configuration,
// the others are closed in the background, their requests having until ctx ends to finish. It cannot fail: the
// configurations have been checked. After Close it does nothing.
func (s *Set) Apply(ctx context.Context, cfgs map[string]DestinationConfig) {
	s.apply.Lock()
	defer s.apply.Unlock()
	if s.closed {
		return
	}
	old := *s.names.Load()
	next := make(map[string]*Destination, len(cfgs))
	for name, cfg := range cfgs {
		d := old[name]
		if d == nil {
			d = NewDestination(name, cfg, s.deps)
		} else {
			d.Apply(cfg)
		}
		next[name] = d
	}
	s.names.Store(&next)
	for name, d := range old {
		if next[name] == nil {
			s.retired.Go(func() { d.Close(ctx) })
		}
	}
}

// Close closes all destinations, those removed earlier too, and returns when nothing is open any more. Requests in
// progress have until ctx ends.
func (s *Set) Close(ctx context.Context) {
	s.apply.Lock()
	defer s.apply.Unlock()
	s.closed = true
	for _, d := range *s.names.Swap(&map[string]*Destination{}) {
		s.retired.Go(func() { d.Close(ctx) })
	}
	s.retired.Wait()
}

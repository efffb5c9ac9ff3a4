package gateway

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/ws"
)

// watches is the index from a user to the sessions on this node that watch them. Its lock comes after a session's listMu,
// which guards the other direction.
type watches struct {
	// follow is told of the first watcher of a user, unfollow of the last. They are called under the lock, so that they
	// come in order, and must take none but their own.
	follow, unfollow func(names.UserID)

	mu sync.RWMutex // guards m
	m  map[names.UserID]map[*session]struct{}
}

func newWatches() *watches { return &watches{m: map[names.UserID]map[*session]struct{}{}} }

// watch is add for a connection that watches from now on.
func (w *watches) watch(c *conn, users []names.UserID, limit int) error {
	s := c.session.Load()
	s.listMu.Lock()
	defer s.listMu.Unlock()
	if err := w.put(s, users, limit); err != nil {
		return err
	}
	c.watching.Store(true)
	return nil
}

// add puts users on a session's list, at most limit in all: beyond, nothing is added and the error is port.ErrLimit. It
// is port.ErrGone when the session has ended.
func (w *watches) add(s *session, users []names.UserID, limit int) error {
	s.listMu.Lock()
	defer s.listMu.Unlock()
	return w.put(s, users, limit)
}

// put is add for a caller that holds the session's listMu.
func (w *watches) put(s *session, users []names.UserID, limit int) error {
	if s.ended {
		return port.ErrGone
	}
	fresh := 0
	for _, u := range users {
		if _, ok := s.list[u]; !ok {
			fresh++
		}
	}
	if len(s.list)+fresh > limit {
		return fmt.Errorf("users that one session watches: %w", port.ErrLimit)
	}
	if s.list == nil && fresh > 0 {
		s.list = make(map[names.UserID]struct{}, fresh)
	}
	for _, u := range users {
		if _, ok := s.list[u]; ok {
			continue
		}
		s.list[u] = struct{}{}
		w.enter(u, s)
	}
	return nil
}

func (w *watches) enter(u names.UserID, s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := w.m[u]
	if set == nil {
		set = map[*session]struct{}{}
		w.m[u] = set
		w.follow(u)
	}
	set[s] = struct{}{}
}

// clear ends what a connection that does not watch any more was promised, and takes all users off its session's list,
// unless another of its connections watches.
func (w *watches) clear(c *conn) {
	s := c.session.Load()
	s.listMu.Lock()
	defer s.listMu.Unlock()
	if s.hasWatcher() {
		w.release(s, c)
		return
	}
	w.leave(s)
}

// end is clear for a session that is no more: nothing is added to it afterwards.
func (w *watches) end(s *session) {
	s.listMu.Lock()
	defer s.listMu.Unlock()
	s.ended = true
	w.leave(s)
}

// leave empties a session's list. The caller holds its listMu.
func (w *watches) leave(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := s.everybody()
	s.list, s.promised = nil, nil
	for u := range all {
		w.exit(u, s)
	}
}

// exit undoes enter. The caller holds mu.
func (w *watches) exit(u names.UserID, s *session) {
	set := w.m[u]
	delete(set, s)
	if len(set) == 0 {
		delete(w.m, u)
		w.unfollow(u)
	}
}

// of returns the sessions that watch a user.
func (w *watches) of(u names.UserID) []*session {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return slices.Collect(maps.Keys(w.m[u]))
}

// watched is whom the session watches, in no order.
func (s *session) watched() []names.UserID {
	s.listMu.Lock()
	defer s.listMu.Unlock()
	return slices.Collect(maps.Keys(s.everybody()))
}

// hasWatcher tells whether a connection of the session gets presence frames.
func (s *session) hasWatcher() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.conns, func(c *conn) bool { return c.watching.Load() })
}

// tell sends a presence frame to the session's connections that want it.
func (s *session) tell(f ws.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.watching.Load() {
			c.send(f)
		}
	}
}

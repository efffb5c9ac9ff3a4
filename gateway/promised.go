package gateway

import (
	"errors"
	"maps"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// promise puts users on the list of a connection's session that the connection was told it would watch before its user,
// and with it the session, was known. A 204 is a promise (decision D15), so those that do not fit on the list any more
// are watched beside it for as long as this connection watches: a session watches at most limit users, and limit more
// for each of its connections. Again changes nothing, nor does it when the connection has been told since not to watch.
// The error is port.ErrGone when the connection has left.
func (w *watches) promise(c *conn, users []names.UserID, limit int) error {
	s := c.session.Load()
	s.listMu.Lock()
	defer s.listMu.Unlock()
	_, done := s.promised[c]
	switch {
	case c.left(): // drop has been called, or waits for us
		return port.ErrGone
	case done || !c.watching.Load():
		return nil
	}
	err := w.put(s, users, limit)
	if !errors.Is(err, port.ErrLimit) {
		return err
	}
	beside := slices.DeleteFunc(slices.Clone(users), func(u names.UserID) bool {
		_, ok := s.list[u]
		return ok
	})
	if s.promised == nil {
		s.promised = make(map[*conn][]names.UserID, 1)
	}
	s.promised[c] = beside
	for _, u := range beside {
		w.enter(u, s)
	}
	return nil
}

// drop ends what was promised to a connection that has left.
func (w *watches) drop(c *conn) {
	s := c.session.Load()
	if s == nil {
		return
	}
	s.listMu.Lock()
	defer s.listMu.Unlock()
	w.release(s, c)
}

// release ends what was promised to a connection. The caller holds the session's listMu.
func (w *watches) release(s *session, c *conn) {
	beside, ok := s.promised[c]
	if !ok {
		return
	}
	delete(s.promised, c)
	still := s.everybody()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range beside {
		if _, ok := still[u]; !ok {
			w.exit(u, s)
		}
	}
}

// everybody are the users that the session watches. The caller holds listMu and changes nothing of it.
func (s *session) everybody() map[names.UserID]struct{} {
	if len(s.promised) == 0 {
		return s.list
	}
	all := make(map[names.UserID]struct{}, len(s.list)+len(s.promised))
	maps.Copy(all, s.list)
	for _, beside := range s.promised {
		for _, u := range beside {
			all[u] = struct{}{}
		}
	}
	return all
}

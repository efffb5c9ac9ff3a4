package gateway

import (
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
)

// session is what one user has on this node: connections, and until when they want the user to count as active. Whether
// the user does so is told by package presence, for all nodes together (protocol §10, decision D25).
type session struct {
	user names.UserID
	// auth is the Authorization of the session's calls, made at the first.
	auth atomic.Pointer[credentials]

	mu sync.Mutex // guards the following
	// conns are the user's connections, the oldest first.
	conns []*conn
	// until is the latest time that was asked for here, in Unix milliseconds.
	until int64
	// dead is true when the session has left the table; who finds a dead one looks again.
	dead bool

	listMu sync.Mutex // guards the following; it comes before the lock of the watches
	// list are the users whose presence the session watches, at most max-subscriptions-per-connection.
	list map[names.UserID]struct{}
	// promised are those beside it, for the connections that were promised them: see watches.promise.
	promised map[*conn][]names.UserID
	// ended is true when nothing may be added to them any more.
	ended bool
}

type credentials struct {
	level backend.Level
	text  string
}

// authorization is the Authorization header of the session's calls (protocol §4.2).
func (s *session) authorization(level backend.Level) string {
	a := s.auth.Load()
	if a == nil || a.level != level {
		a = &credentials{level, level.Scheme() + backend.Credentials(s.user)}
		s.auth.Store(a)
	}
	return a.text
}

// sessions is the table of a session pool's sessions on this node: those of users that have a connection here. A shard's
// lock guards its map only, a session's lock the session; they are never held together.
type sessions struct {
	cfg    *atomic.Pointer[Config]
	seed   maphash.Seed
	shards [sessionShards]struct {
		mu sync.Mutex
		m  map[names.UserID]*session
	}
}

const sessionShards = 32

func newSessions(cfg *atomic.Pointer[Config]) *sessions {
	t := &sessions{cfg: cfg, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].m = make(map[names.UserID]*session)
	}
	return t
}

// nowMilli is the time in Unix milliseconds, in which nodes tell each other deadlines.
func nowMilli() int64 { return time.Now().UnixMilli() }

// find returns a user's session, making it when create is set; nil when there is none.
func (t *sessions) find(user names.UserID, create bool) *session {
	h := &t.shards[maphash.String(t.seed, string(user))%sessionShards]
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.m[user]
	if s == nil && create {
		s = &session{user: user}
		h.m[user] = s
	}
	return s
}

// forget takes a dead session out of the table.
func (t *sessions) forget(s *session) {
	h := &t.shards[maphash.String(t.seed, string(s.user))%sessionShards]
	h.mu.Lock()
	if h.m[s.user] == s {
		delete(h.m, s.user)
	}
	h.mu.Unlock()
}

// join associates a connection with its user's session. It returns until when the user is to count as active, and the
// oldest connection when the user has more than max-connections-per-user: the caller must close it.
func (t *sessions) join(c *conn, user names.UserID) (replaced *conn, until int64) {
	cfg := t.cfg.Load()
	for {
		s := t.find(user, true)
		s.mu.Lock()
		if s.dead {
			s.mu.Unlock()
			t.forget(s)
			continue
		}
		s.conns = append(s.conns, c)
		c.session.Store(s)
		if len(s.conns) > cfg.MaxConnectionsPerUser {
			replaced = s.conns[0]
			s.conns = slices.Delete(s.conns, 0, 1)
		}
		s.until = max(s.until, nowMilli()+cfg.NewConnectionIdleTimeout.Milliseconds())
		until = s.until
		s.mu.Unlock()
		return replaced, until
	}
}

// active notes that a client wishes to count as active for so many seconds (protocol §10.3), and returns until when.
// An earlier time than the one that is known changes nothing (decision D28): then it is false.
func (t *sessions) active(s *session, seconds uint64) (until int64, later bool) {
	cfg := t.cfg.Load()
	d := cfg.ClientMaxIdleTimeout
	if seconds < uint64(math.MaxInt64/int64(time.Second)) {
		d = min(d, time.Duration(seconds)*time.Second)
	}
	d = max(d, cfg.ClientMinIdleTimeout)
	until = nowMilli() + d.Milliseconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || until <= s.until {
		return 0, false
	}
	s.until = until
	return until, true
}

// part takes a connection out of its session. The session ends with its last one: then it is returned.
func (t *sessions) part(c *conn) (ended *session) {
	s := c.session.Load()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	over := !s.dead && len(s.conns) == 0
	s.dead = s.dead || over
	s.mu.Unlock()
	if !over {
		return nil
	}
	t.forget(s)
	return s
}

// local tells what this node knows of a user: until when connections here want it active, and how many there are.
func (t *sessions) local(user names.UserID) (until int64, conns int) {
	s := t.find(user, false)
	if s == nil {
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until, len(s.conns)
}

// of returns the user's connections of this moment.
func (t *sessions) of(user names.UserID) []*conn {
	s := t.find(user, false)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// count is the number of sessions.
func (t *sessions) count() int {
	n := 0
	for i := range t.shards {
		h := &t.shards[i]
		h.mu.Lock()
		n += len(h.m)
		h.mu.Unlock()
	}
	return n
}

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

// session is what one user has on this node: connections and a deadline after which the user counts as inactive
// (protocol §10).
type session struct {
	user names.UserID
	// auth is the Authorization of the session's calls, made at the first.
	auth atomic.Pointer[credentials]

	mu sync.Mutex // guards all below
	// conns are the user's connections, the oldest first.
	conns []*conn
	// deadline is when the session becomes inactive, as time since the sessions' epoch.
	deadline time.Duration
	state    sessionState
	// queued is true while the session has an entry in the deadlines; it has at most one.
	queued bool
	// dead is true when the session has left the table; who finds a dead one looks again.
	dead bool
}

// sessionState is whether a user counts as active. The zero value is a session that nobody has joined yet.
type sessionState uint8

const (
	sessionNew sessionState = iota
	sessionActive
	sessionInactive
)

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

// sessions is the table of a session pool's sessions on this node. A shard's lock guards its map only, a session's
// lock the session; they are never held together.
type sessions struct {
	epoch  time.Time
	cfg    *atomic.Pointer[Config]
	seed   maphash.Seed
	shards [sessionShards]struct {
		mu sync.Mutex
		m  map[names.UserID]*session
	}
	due     *deadlines
	metrics *Metrics
	// expired is called, without locks, when a session's deadline has passed.
	expired func(names.UserID)
}

const sessionShards = 32

func newSessions(cfg *atomic.Pointer[Config], m *Metrics, expired func(names.UserID)) *sessions {
	t := &sessions{
		epoch: time.Now(), cfg: cfg, seed: maphash.MakeSeed(), due: newDeadlines(), metrics: m, expired: expired,
	}
	for i := range t.shards {
		t.shards[i].m = make(map[names.UserID]*session)
	}
	return t
}

func (t *sessions) now() time.Duration { return time.Since(t.epoch) }

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

// join associates a connection with its user's session. It returns the oldest connection when the user has more than
// max-connections-per-user: the caller must close it.
func (t *sessions) join(c *conn, user names.UserID) (replaced *conn) {
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
		t.extend(s, t.now()+cfg.NewConnectionIdleTimeout)
		s.mu.Unlock()
		return replaced
	}
}

// active notes that a client wishes to count as active for so many seconds (protocol §10.3).
func (t *sessions) active(s *session, seconds uint64) {
	cfg := t.cfg.Load()
	d := cfg.ClientMaxIdleTimeout
	if seconds < uint64(math.MaxInt64/int64(time.Second)) {
		d = min(d, time.Duration(seconds)*time.Second)
	}
	d = max(d, cfg.ClientMinIdleTimeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		t.extend(s, t.now()+d)
	}
}

// extend moves a session's deadline, never to an earlier time (decision D28), and makes it active. The caller holds the
// session's lock.
func (t *sessions) extend(s *session, deadline time.Duration) {
	s.deadline = max(s.deadline, deadline)
	if s.state != sessionActive {
		if s.state == sessionInactive {
			t.metrics.inactive.Add(-1)
		}
		s.state = sessionActive
		t.metrics.active.Add(1)
	}
	if !s.queued {
		s.queued = true
		t.due.add(s, s.deadline)
	}
}

// part takes a connection out of its session. An inactive session without connections ends; an active one stays until
// its deadline (protocol §9.3).
func (t *sessions) part(c *conn) {
	s := c.session.Load()
	if s == nil {
		return
	}
	s.mu.Lock()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	over := s.state == sessionInactive && !s.dead && len(s.conns) == 0
	if over {
		s.dead = true
		t.metrics.inactive.Add(-1)
	}
	s.mu.Unlock()
	if over {
		t.forget(s)
	}
}

// expire ends the activity of a session whose time has come: the backends are told, and the session goes or becomes
// inactive (protocol §10.4).
func (t *sessions) expire(s *session) {
	s.mu.Lock()
	if s.deadline > t.now() {
		t.due.add(s, s.deadline)
		s.mu.Unlock()
		return
	}
	s.queued, s.state = false, sessionInactive
	s.dead = len(s.conns) == 0
	dead := s.dead
	t.metrics.active.Add(-1)
	if !dead {
		t.metrics.inactive.Add(1)
	}
	s.mu.Unlock()
	if dead {
		t.forget(s)
	}
	t.expired(s.user)
}

// isActive tells whether the user counts as active on this node.
func (t *sessions) isActive(user names.UserID) bool {
	s := t.find(user, false)
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == sessionActive
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

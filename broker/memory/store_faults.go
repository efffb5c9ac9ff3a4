package memory

import (
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// Fault is what goes wrong with one access to a store.
type Fault int

// The faults of one access.
const (
	// FaultNone lets it pass.
	FaultNone Fault = iota
	// FaultRefused does nothing and says port.ErrUnavailable.
	FaultRefused
	// FaultLost does nothing and says port.ErrTimeout.
	FaultLost
	// FaultAnswerLost does it and says port.ErrTimeout.
	FaultAnswerLost
)

// SetFault lets pick decide about each access, of all nodes; nil: nothing goes wrong. The key is "" when there is none;
// of GetMany it is the first. The function is called with locks held and must not call the store or a bus.
func (s *Store) SetFault(pick func(op Op, key string) Fault) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.fault = pick
}

// SetDown takes the bucket away, as when its stream has no leader: each access fails with port.ErrUnavailable.
func (s *Store) SetDown(down bool) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.down = down
}

// SetReady says whether the bucket exists. While it does not, Ready is false and each access port.ErrUnavailable.
func (s *Store) SetReady(ready bool) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.absent = !ready
}

// SetAlone says that there is one replica for good: MayLag is false, and SetLag must not be used.
func (s *Store) SetAlone() {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.alone = true
}

// SetDelay lets each access take d from now on. One whose context ends before is done all the same.
func (s *Store) SetDelay(d time.Duration) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.delay = d
}

// SetLag lets Get, GetMany and Changes be answered by a replica that hears of each change only after d; 0: by the
// leader. It begins with what the leader has now.
func (s *Store) SetLag(d time.Duration) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	b := s.bucket
	b.settle(time.Now())
	switch {
	case d <= 0:
		b.replica, b.behind, b.leader.changed = nil, nil, nil
	case b.lag == 0:
		b.replica = b.leader.clone()
		b.leader.changed = func(r record) { b.behind = append(b.behind, r) }
	}
	b.lag = max(0, d)
}

// LoseAnswers does the next n writes and deletions but loses their answers: they say port.ErrTimeout.
func (s *Store) LoseAnswers(n int) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.lose = n
}

// SetMaxBytes bounds keys and values together, in bytes; beyond, a write fails with port.ErrStoreFull. 0: no bound.
func (s *Store) SetMaxBytes(n int64) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.full = n
}

// Backup is the content of a bucket at one time.
type Backup struct{ state *state }

// Save copies the content, without any fault.
func (s *Store) Save() Backup {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.bucket.settle(time.Now())
	return Backup{s.bucket.leader.clone()}
}

// Restore brings back a content, sequence numbers included, as from an old disk. The zero Backup is an empty bucket:
// all is lost.
func (s *Store) Restore(b Backup) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if b.state == nil {
		b.state = newState()
	}
	s.bucket.replace(b.state.clone())
}

// send puts an access on its way; unless it returns an error, end is told once whether run was done, with Network.mu
// held.
func (s *Store) send(op Op, key string, run func(), end func(error)) error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if s.bucket.absent || s.bus != nil && s.bus.down {
		return port.ErrUnavailable
	}
	arrive := func() {
		if s.bucket.delay <= 0 {
			s.serve(op, key, run, end)
			return
		}
		time.AfterFunc(s.bucket.delay, func() {
			s.net.mu.Lock()
			defer s.net.mu.Unlock()
			s.serve(op, key, run, end)
		})
	}
	if s.bus == nil {
		arrive()
		return nil
	}
	s.bus.enqueue(arrive, func() { end(port.ErrTimeout) })
	return nil
}

// serve does what the server does with an access. The caller holds Network.mu.
func (s *Store) serve(op Op, key string, run func(), end func(error)) {
	fault := s.bucket.trouble(op, key)
	switch fault {
	case FaultRefused:
		end(port.ErrUnavailable)
		return
	case FaultLost:
		end(port.ErrTimeout)
		return
	case FaultNone, FaultAnswerLost:
	}
	s.bucket.settle(time.Now())
	run()
	if fault == FaultAnswerLost || s.bus != nil && s.bus.down {
		end(port.ErrTimeout)
		return
	}
	end(nil)
}

// trouble decides what goes wrong with an access.
func (b *bucket) trouble(op Op, key string) Fault {
	if b.down {
		return FaultRefused
	}
	if b.lose > 0 && (op == OpWrite || op == OpDelete) {
		b.lose--
		return FaultAnswerLost
	}
	if b.fault != nil {
		return b.fault(op, key)
	}
	return FaultNone
}

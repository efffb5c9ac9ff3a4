package presence

import (
	"context"
	"errors"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// change makes a transition of a user's record in the store and learns what it is then. f may run several times. Where
// the store holds less than was known, because it was lost or has forgotten the user, what was known is written back.
func (t *Tracker) change(ctx context.Context, u *user, f func(Record) (Record, bool)) error {
	now := t.now()
	return t.write(ctx, u, func(stored, known Record) (Record, bool) {
		base := revive(stored, known, now)
		r, changed := f(base)
		return r, changed || base.Version > stored.Version
	})
}

// write replaces a user's record in the store by what f makes of it and of what was known, if f says so, and learns what
// it is then. f may run several times.
func (t *Tracker) write(ctx context.Context, u *user, f func(stored, known Record) (Record, bool)) error {
	t.mu.Lock()
	known := u.rec
	t.mu.Unlock()
	grace := t.d.Config().PrivateGrace
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	t.d.Metrics.writes.Add(1)
	lost := false
	value, err := t.d.Records.ChangeRecord(ctx, u.id, func(old []byte) ([]byte, time.Duration) {
		stored, _ := t.parse(u.id, old)
		lost = stored.behind(&known)
		r, changed := f(stored, known)
		if !changed {
			return nil, 0
		}
		return r.AppendText(nil), r.ttl(grace)
	})
	if err != nil {
		t.d.Metrics.writeErrors.Add(1)
		t.failed(err)
		return err
	}
	r, ok := t.parse(u.id, value)
	t.mu.Lock()
	if ok {
		t.learn(u, r)
	}
	if lost {
		t.heldUntil = t.now() + lossWait
	}
	t.mu.Unlock()
	t.tell()
	return nil
}

// parse reads a record. One that cannot be read counts as none and is replaced by the next change.
func (t *Tracker) parse(id names.UserID, value []byte) (Record, bool) {
	r, err := Parse(value)
	if err != nil {
		t.d.Metrics.malformed.Add(1)
		t.log.Warn("User record cannot be read", "user", string(id), "err", err)
	}
	return r, err == nil
}

// failed notes that NATS is away: this node is deaf, and must not take others for dead before it has had the time to
// hear them again.
func (t *Tracker) failed(err error) {
	if errors.Is(err, port.ErrUnavailable) {
		t.mu.Lock()
		t.member.calmAt = max(t.member.calmAt, t.now()+deafMillis)
		t.mu.Unlock()
	}
}

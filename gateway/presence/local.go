package presence

import (
	"context"
	"fmt"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Joined tells that a connection of a user has been associated on this node and makes the user active until the given
// time. It returns when the record says so, which it often does already. After a second, or when the store is away, it
// returns an error and the record is written later. Deps.Local must count the connection already.
func (t *Tracker) Joined(ctx context.Context, id names.UserID, until int64) error {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	t.mu.Lock()
	u := t.get(id)
	u.local = true
	t.wish(u, until)
	unwritten := t.unwritten(u)
	if unwritten {
		u.dirty = true
		u.notBefore = max(u.notBefore, t.now()+retryFirst) // it is written here
	}
	t.schedule(u)
	t.mu.Unlock()
	if !unwritten {
		return nil
	}
	err := t.settle(ctx, u)
	t.tell()
	return err
}

// Parted tells that the last connection of a user on this node has left. The record is written soon.
func (t *Tracker) Parted(id names.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.get(id)
	u.dirty = true
	t.schedule(u)
}

// Active tells that a client wishes its user to count as active until the given time. The record is written soon if the
// user was not active or the deadline has moved by more than 10 s since it was written (decision D25).
func (t *Tracker) Active(id names.UserID, until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.get(id)
	t.wish(u, until)
	if t.unwritten(u) {
		u.dirty = true
		t.schedule(u)
	}
}

// wish notes an activity. The caller holds mu.
func (t *Tracker) wish(u *user, until int64) {
	if u.known && u.rec.State != Active && until <= u.rec.Until {
		until = u.rec.Until + 1 // our clock is behind the owner's
	}
	u.until = max(u.until, until)
	u.wishes++
}

// unwritten tells whether the record lacks something that this node has. The caller holds mu.
func (t *Tracker) unwritten(u *user) bool {
	if !u.known {
		return true
	}
	if u.local && u.rec.State == Active && u.until <= u.rec.Until+moveMillis && u.rec.here(t.d.Node) {
		u.seen = u.wishes
		return false
	}
	_, changed := u.rec.present(t.holding(u), t.now())
	return changed
}

func (t *Tracker) holding(u *user) holding {
	return holding{node: t.d.Node, here: u.local, until: u.until, fresh: u.wishes != u.seen}
}

// mismatched tells whether the record says something wrong about this node: it was taken for dead, or is a ghost. The
// caller holds mu.
func (t *Tracker) mismatched(u *user) bool {
	if u.rec.here(t.d.Node) != u.local {
		return true
	}
	return u.local && (u.rec.State == Offline || u.rec.overtaken() || u.rec.State == Inactive && u.until > u.rec.Until && u.until > t.now())
}

// settle writes what this node has of a user, if that is not written: one write at a time for each user, so that
// repeated changes combine. It returns when nothing is left to write or a write has failed; then it is to be repeated.
func (t *Tracker) settle(ctx context.Context, u *user) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for u.dirty || u.syncing {
		if u.syncing {
			if err := t.awaitSync(ctx, u.synced); err != nil {
				return err
			}
			continue
		}
		u.dirty, u.syncing, u.synced = false, true, make(chan struct{})
		t.mu.Unlock()
		err := t.sync(ctx, u)
		t.mu.Lock()
		u.syncing = false
		close(u.synced)
		u.synced = nil
		u.dirty = u.dirty || err != nil || u.known && t.mismatched(u)
		if err == nil {
			u.notBefore, u.fails = 0, 0
		} else {
			u.notBefore = max(u.notBefore, t.now()+retryFirst)
		}
		t.schedule(u)
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitSync waits without mu, which the caller holds.
func (t *Tracker) awaitSync(ctx context.Context, synced <-chan struct{}) error {
	t.mu.Unlock()
	defer t.mu.Lock()
	select {
	case <-synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("user record: %w", port.ErrTimeout)
	}
}

// sync writes once what this node has of a user at this moment.
func (t *Tracker) sync(ctx context.Context, u *user) error {
	until, conns := t.d.Local(u.id)
	now := t.now()
	t.mu.Lock()
	u.until, u.local = max(u.until, until), conns > 0
	h, wishes, known := t.holding(u), u.wishes, u.known
	_, changed := u.rec.present(h, now)
	t.mu.Unlock()
	if !known || changed {
		f := func(r Record) (Record, bool) { return r.present(h, now) }
		if err := t.change(ctx, u, f); err != nil {
			return err
		}
	}
	t.mu.Lock()
	u.seen = wishes
	t.mu.Unlock()
	return nil
}

package presence

import (
	"context"

	"github.com/swindon-go/swindon/internal/names"
)

// Touch tells that private data was written for a user. If nobody is there, it is kept for the private grace from now
// on. It costs a write of the record at most twice a grace, and does not wait for it.
func (t *Tracker) Touch(id names.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[id]
	if u != nil && (u.local || u.touch || u.rec.Keep >= t.now()+t.grace()) {
		return
	}
	if t.touches >= maxTouches {
		t.d.Metrics.touchesDropped.Add(1)
		return
	}
	u = t.get(id)
	u.touch = true
	t.touches++
	t.schedule(u)
}

// keep writes what Touch has noted.
func (t *Tracker) keep(u *user) error {
	grace, now := t.grace(), t.now()
	err := t.change(t.ctx, u, func(r Record) (Record, bool) { return r.touch(grace, now) })
	if err != nil {
		return err
	}
	t.mu.Lock()
	u.touch, u.touched = false, true
	t.touches--
	t.mu.Unlock()
	return nil
}

// purge deletes the private documents of a user who has been away for the grace. A stale record must not be the reason:
// it is read again first.
func (t *Tracker) purge(u *user) error {
	ctx, cancel := context.WithTimeout(t.ctx, storeWait)
	defer cancel()
	values, err := t.d.Records.LoadRecords(ctx, []names.UserID{u.id})
	if err != nil {
		t.failed(err)
		return err
	}
	t.loaded(u.id, values[0])
	t.mu.Lock()
	at, stamp, ok := u.rec.purgeAt(t.grace())
	ok = ok && at <= t.now() && !u.local
	t.mu.Unlock()
	if !ok {
		return nil
	}
	if err := t.d.Records.PurgePrivate(ctx, u.id); err != nil {
		t.failed(err)
		return err
	}
	t.d.Metrics.purged.Add(1)
	return t.change(t.ctx, u, func(r Record) (Record, bool) { return r.purged(stamp) })
}

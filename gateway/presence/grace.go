package presence

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Touch tells that private data was written for a user. If nobody is there, it is kept for the private grace from now
// on. It costs a write of the record at most twice a grace, and does not wait for it.
func (t *Tracker) Touch(id names.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[id]
	if u != nil && (u.local || u.touch || u.rec.keeps(t.grace(), t.now())) {
		return
	}
	if t.touches >= maxTouches {
		t.d.Metrics.touchesDropped.Add(1)
		t.dropped()
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

// reload makes another grace count for those who are waiting already. The caller holds mu.
func (t *Tracker) reload() {
	now, grace := t.now(), t.grace()
	old := t.graces.last
	if grace == old {
		return
	}
	t.graces.last = grace
	if grace < old {
		t.graces.loweredAt, t.graces.slack = now, max(t.graces.slack, old/2)
	}
	for _, u := range t.users {
		t.schedule(u)
	}
}

// graces is what is remembered of changes of the private grace, in milliseconds.
type graces struct {
	last int64
	// loweredAt is when it became shorter. Until then data may have come as much as slack after the touch that stands
	// for it.
	loweredAt, slack int64
}

// purgeAt is the record's, but data that came before the grace became shorter stays for a grace, too. The caller holds
// mu.
func (t *Tracker) purgeAt(r *Record) (at, stamp int64, ok bool) {
	grace := t.grace()
	at, stamp, ok = r.purgeAt(grace)
	if ok && r.Touched > r.Purged {
		at = max(at, min(r.Touched+t.graces.slack, t.graces.loweredAt)+grace)
	}
	return at, stamp, ok
}

// purge deletes the private documents of a user who has been away for the grace. A stale record must not be the reason:
// it is read again first. Nor may a document go that was written within the grace, by somebody whose touch has not come
// yet or never will: then another purge follows when it is old.
func (t *Tracker) purge(u *user) error {
	now := t.now()
	ctx, cancel := context.WithTimeout(t.ctx, storeWait)
	defer cancel()
	values, err := t.d.Records.LoadRecords(ctx, []names.UserID{u.id})
	if err != nil {
		t.failed(err)
		return err
	}
	t.loaded(u.id, values[0])
	t.mu.Lock()
	at, stamp, ok := t.purgeAt(&u.rec)
	ok = ok && at <= now && !u.local
	t.mu.Unlock()
	if !ok {
		return nil
	}
	kept, err := t.d.Records.PurgePrivate(ctx, u.id, time.UnixMilli(now-t.grace()))
	if err != nil {
		t.failed(err)
		return err
	}
	if !kept.IsZero() {
		t.d.Metrics.purgesPutOff.Add(1)
		written := min(kept.UnixMilli(), t.now())
		return t.change(t.ctx, u, func(r Record) (Record, bool) { return r.putOff(written) })
	}
	t.d.Metrics.purged.Add(1)
	return t.change(t.ctx, u, func(r Record) (Record, bool) { return r.purged(stamp) })
}

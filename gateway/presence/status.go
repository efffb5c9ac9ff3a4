package presence

import (
	"bytes"

	"github.com/swindon-go/swindon/internal/names"
)

// RecordHeard takes in a record that another node has changed, or that a catch-up has found. The order does not matter.
// It does not block. It must not be called under a lock that Deps.Changed takes.
func (t *Tracker) RecordHeard(id names.UserID, value []byte) {
	t.mu.Lock()
	idle := t.users[id] == nil && !t.owns(id)
	t.mu.Unlock()
	if idle && !bytes.Contains(value, t.self) {
		return // most of what other nodes do
	}
	r, ok := t.parse(id, value)
	if !ok {
		return
	}
	t.mu.Lock()
	t.consider(id, r, nil)
	t.mu.Unlock()
	t.tell()
}

// consider learns a record if it concerns this node. The caller holds mu.
func (t *Tracker) consider(id names.UserID, r Record, dead []names.NodeID) {
	u := t.users[id]
	if u == nil {
		if !t.concerns(id, &r, dead) {
			if t.owns(id) {
				t.suspect(&r) // what was written back may name nodes that have died meanwhile
			}
			return
		}
		u = t.get(id)
	}
	if len(dead) > 0 {
		u.dead = dead
	}
	t.learn(u, r)
}

// concerns tells whether this node has something to do because of a record. The caller holds mu.
func (t *Tracker) concerns(id names.UserID, r *Record, dead []names.NodeID) bool {
	if r.here(t.d.Node) {
		return true // a ghost
	}
	_, _, purge := r.purgeAt(0)
	return (r.State == Active || r.torn() || r.Notice.pending() || purge || len(dead) > 0) && t.owns(id)
}

// learn joins what was heard of a record. The caller holds mu, and calls tell without it.
func (t *Tracker) learn(u *user, r Record) {
	if r.forgets(&u.rec) {
		u.lost = true
		t.schedule(u)
		return
	}
	u.rec, u.known = Join(u.rec, r), true
	if !u.dirty && !u.syncing && t.mismatched(u) {
		u.dirty = true
	}
	if k := u.task; k != nil && k.cancel != nil && !k.mine(&u.rec.Notice, t.d.Node) {
		k.cancel(errLeaseLost)
	}
	if t.owns(u.id) {
		t.suspect(&u.rec)
	}
	t.watch(u, false)
	t.schedule(u)
}

// watch sees to it that the followers of a user are told what they do not know. Of an unknown user they are supposed to
// believe that he is offline; silent says that they are told otherwise. The caller holds mu.
func (t *Tracker) watch(u *user, silent bool) {
	if u.follow == 0 {
		return
	}
	if !u.base {
		u.base = true
		if silent || u.rec.State == Offline || u.rec.Version < u.since {
			u.told = u.rec.Status
			return
		}
	}
	if !u.queued && u.rec.State != u.told.State {
		u.queued = true
		t.changed = append(t.changed, u)
	}
}

// tell hands the changes to the watchers, one at a time, without mu.
func (t *Tracker) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.telling {
		return
	}
	t.telling = true
	for len(t.changed) > 0 {
		u := t.changed[0]
		t.changed = t.changed[1:]
		u.queued = false
		s := u.rec.Status
		if u.follow > 0 && s.State != u.told.State {
			// Only the two sides of a mesh can give one version to two states.
			s.Version = max(s.Version, u.told.Version+1)
			u.told = s
			t.mu.Unlock()
			t.d.Changed(u.id, s)
			t.mu.Lock()
		}
		t.schedule(u)
	}
	t.changed = nil
	t.telling = false
}

// Follow keeps a user's status current and makes Deps.Changed hear of its changes, until Unfollow was called as often.
// To miss nothing call Follow first, then Statuses.
func (t *Tracker) Follow(id names.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.get(id)
	u.follow++
	if u.follow > 1 {
		return
	}
	t.level(&t.d.Metrics.followed, 1)
	if u.known {
		u.told, u.base = u.rec.Status, true
		return
	}
	u.since = t.now()
	t.load(id)
	if t.young == nil {
		t.young = make(map[names.UserID]struct{})
	}
	t.young[id] = struct{}{}
}

// Unfollow undoes one Follow.
func (t *Tracker) Unfollow(id names.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[id]
	if u == nil || u.follow == 0 {
		return
	}
	u.follow--
	if u.follow > 0 {
		return
	}
	u.base, u.told = false, Status{}
	t.level(&t.d.Metrics.followed, -1)
	t.schedule(u)
}

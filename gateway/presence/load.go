package presence

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Gap tells that announcements may have been lost: the records of all users that are known here are read again. As
// this node may have been deaf, it takes nobody for dead for a while.
func (t *Tracker) Gap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.member.calmAt = max(t.member.calmAt, t.now()+deafMillis)
	t.member.wanted = true
	for id := range t.users {
		t.load(id)
	}
}

// load has a record read in the background. The caller holds mu.
func (t *Tracker) load(id names.UserID) {
	t.loads[id] = struct{}{}
	if !t.loading && !t.stopped {
		t.loading = true
		t.wg.Go(t.loader)
	}
}

// second has the records of users be read once more who have been followed since the last tick but one: replicas that lagged
// have caught up by then. What was announced before somebody followed was not listened to. The caller holds mu.
func (t *Tracker) second() {
	for id := range t.again {
		t.load(id)
	}
	t.again, t.young = t.young, nil
}

// loader reads records until none is wanted.
func (t *Tracker) loader() {
	for {
		batch := t.nextLoads()
		if batch == nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.ctx, storeWait)
		values, err := t.d.Records.LoadRecords(ctx, batch)
		cancel()
		if err == nil {
			for i, id := range batch {
				t.loaded(id, values[i])
			}
			t.tell()
			continue
		}
		t.failed(err)
		t.mu.Lock()
		for _, id := range batch {
			t.loads[id] = struct{}{}
		}
		t.mu.Unlock()
		select {
		case <-time.After(time.Second):
		case <-t.ctx.Done():
		}
	}
}

func (t *Tracker) nextLoads() []names.UserID {
	t.mu.Lock()
	defer t.mu.Unlock()
	var batch []names.UserID
	for id := range t.loads {
		if len(batch) == loadBatch {
			break
		}
		delete(t.loads, id)
		if t.users[id] != nil {
			batch = append(batch, id)
		}
	}
	if t.ctx.Err() != nil {
		batch = nil
	}
	t.loading = batch != nil
	return batch
}

// loaded takes in a record that was read. One that has vanished is written again if it matters.
func (t *Tracker) loaded(id names.UserID, value []byte) {
	r, ok := t.parse(id, value)
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[id]
	switch {
	case u == nil || !ok:
	case len(value) > 0:
		t.learn(u, r)
	case u.local:
		u.known, u.dirty = false, true
		t.schedule(u)
	case !u.known:
		t.learn(u, Record{})
	case u.rec.matters():
		u.lost = true
		t.schedule(u)
	}
}

package presence

import (
	"context"
	"sync"

	"github.com/swindon-go/swindon/internal/names"
)

// Statuses returns the status of users, aligned with us, as the store has them or as they are known to be by now. An
// unknown user gets a record first, so that every later status is greater (decision D25). When the store is away it
// fails, unless all users are known here.
func (t *Tracker) Statuses(ctx context.Context, us []names.UserID) ([]Status, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	defer t.tell()
	out := make([]Status, len(us))
	values, err := t.d.Records.LoadRecords(ctx, us)
	if err != nil {
		t.failed(err)
		return out, t.recall(us, out, err)
	}
	var unknown []int
	for i, id := range us {
		r, _ := t.parse(id, values[i])
		if out[i] = t.hear(id, r); out[i].Version == 0 {
			unknown = append(unknown, i)
		}
	}
	return out, t.introduce(ctx, us, out, unknown)
}

// recall fills in the statuses of users who are all known here; otherwise it returns err.
func (t *Tracker) recall(us []names.UserID, out []Status, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, id := range us {
		u := t.users[id]
		if u == nil || u.rec.Version == 0 {
			return err
		}
		out[i] = u.rec.Status
	}
	return nil
}

// hear learns a record that is about to be told and returns the user's status.
func (t *Tracker) hear(id names.UserID, r Record) Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[id]
	if u == nil {
		t.consider(id, r, nil)
		return r.Status
	}
	if r.Version > 0 {
		if !r.forgets(&u.rec) {
			u.rec = Join(u.rec, r)
			t.watch(u, true)
		}
		t.learn(u, r)
	}
	return u.rec.Status
}

// introduce makes the records of unknown users.
func (t *Tracker) introduce(ctx context.Context, us []names.UserID, out []Status, unknown []int) error {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards failure
	var failure error
	places := make(chan int)
	for range min(createWorkers, len(unknown)) {
		wg.Go(func() {
			for i := range places {
				s, err := t.create(ctx, us[i])
				out[i] = s
				if err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
				}
			}
		})
	}
	for _, i := range unknown {
		places <- i
	}
	close(places)
	wg.Wait()
	return failure
}

// create makes the record of an unknown user. The empty id, which is no user's, is offline (decision D5).
func (t *Tracker) create(ctx context.Context, id names.UserID) (Status, error) {
	now := t.now()
	if id == "" {
		return Status{Version: now}, nil
	}
	t.mu.Lock()
	u := t.get(id)
	u.pins++
	t.mu.Unlock()
	err := t.change(ctx, u, func(r Record) (Record, bool) { return r.known(now) })
	t.mu.Lock()
	defer t.mu.Unlock()
	u.pins--
	t.schedule(u)
	return u.rec.Status, err
}

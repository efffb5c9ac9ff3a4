package presence

import (
	"context"
	"errors"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
)

// errNotAnswered says that a node that holds connections has not answered: it is asked again, until it has or is dead.
var errNotAnswered = errors.New("not all nodes have answered")

const (
	// askWait bounds one question for a later deadline, in milliseconds.
	askWait = 1000
	// askAgain is the pause after one that was not fully answered, in milliseconds.
	askAgain = 250
	// restMillis is the least time between two works for one user.
	restMillis = 10
)

// work does what is due for a user.
func (t *Tracker) work(u *user) {
	err := t.settle(t.ctx, u)
	if err == nil {
		err = t.duties(u)
	}
	t.mu.Lock()
	u.busy = false
	t.busy--
	switch {
	case err == nil:
		u.fails, u.notBefore = 0, max(u.notBefore, t.now()+restMillis)
	case errors.Is(err, errNotAnswered):
		u.notBefore = t.now() + askAgain
	default:
		u.notBefore = t.now() + backoff(u.fails)
		u.fails++
	}
	t.schedule(u)
	t.mu.Unlock()
	t.tell()
	poke(t.wake)
}

// duties does what the owner of a user, or in its stead a node with connections, has to do. One thing leads to another,
// but never to many.
func (t *Tracker) duties(u *user) error {
	for range 6 {
		again, err := t.duty(u)
		if err != nil || !again {
			return err
		}
	}
	return nil
}

func (t *Tracker) duty(u *user) (again bool, err error) {
	now := t.now()
	t.mu.Lock()
	r, owner, dead, touch, lost := u.rec, t.owns(u.id), u.dead, u.touch, u.lost
	end := max(r.Until, u.asked)
	if !owner {
		end += fallbackMillis
	}
	held := now < t.heldUntil
	expired := !held && r.State == Active && end <= now && (owner || u.local)
	n := &r.Notice
	notify := !held && owner && u.task == nil && n.pending() &&
		(n.State == NoticeDue || n.Owner == t.d.Node || n.Lease < now)
	if u.touched && r.keepUntil(t.grace()) <= now {
		u.touched = false
	}
	purgeAt, _, purge := t.purgeAt(&r)
	t.mu.Unlock()
	switch {
	case lost:
		return true, t.restore(u)
	case touch:
		return true, t.keep(u)
	case expired:
		return true, t.expire(u, r)
	case owner && r.torn():
		return true, t.change(t.ctx, u, func(r Record) (Record, bool) { return r.mend(now) })
	case owner && len(dead) > 0:
		return true, t.adopt(u, dead)
	case notify:
		return t.notices.add(u, n), nil
	case owner && purge && purgeAt <= now:
		return true, t.purge(u)
	}
	return false, nil
}

// expire ends the activity of a user whose deadline has passed, unless a node knows a later one.
func (t *Tracker) expire(u *user, r Record) error {
	now := t.now()
	t.mu.Lock()
	v := t.view
	t.mu.Unlock()
	asked := v.holders(&r, t.d.Node)
	until, conns, err := t.deadline(u.id, &r, asked)
	if err != nil {
		return err
	}
	if until > now {
		t.mu.Lock()
		u.asked = max(u.asked, until)
		t.mu.Unlock()
		return nil
	}
	request := ""
	if t.d.Config().Notices {
		request = t.d.IDs.Next()
	}
	ended := false
	err = t.write(t.ctx, u, func(stored, known Record) (Record, bool) {
		r := revive(stored, known, now)
		if ended = false; stored.behind(&known) {
			return r, true // somebody may know that it has ended
		}
		for _, n := range v.holders(&r, t.d.Node) {
			if !slices.Contains(asked, n) {
				return r, false // it must be asked first
			}
		}
		r, ended = r.expire(until, conns, request, now)
		return r, ended
	})
	if err == nil && ended {
		t.d.Metrics.expired.Add(1)
	}
	return err
}

// deadline is the latest deadline that this node and the live holders know, and whether connections are left.
func (t *Tracker) deadline(id names.UserID, r *Record, holders []names.NodeID) (until int64, connected bool, err error) {
	until, conns := t.d.Local(id)
	until = max(until, r.Until)
	if len(holders) == 0 {
		return until, conns > 0, nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, pause(askWait))
	defer cancel()
	t.d.Metrics.asks.Add(1)
	theirs, n, err := t.d.Ask(ctx, id)
	until, connected = max(until, theirs), conns+n > 0
	now := t.now()
	if err == nil || until > now {
		return until, connected, nil
	}
	t.d.Metrics.askErrors.Add(1)
	if now < r.Until+askMillis {
		return 0, false, errNotAnswered
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return until, connected || len(t.view.holders(r, t.d.Node)) > 0, nil
}

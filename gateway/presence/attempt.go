package presence

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attempt claims the notice, sends it and notes that it is answered or given up, as far as that goes; done says that
// nothing is left to do.
func (n *notices) attempt(k *task) (done bool) {
	t := n.t
	if !k.answered {
		switch err := n.claim(k); {
		case errors.Is(err, errLeaseLost):
			t.d.Metrics.noticesAbandoned.Add(1)
			return true
		case err != nil:
			k.at = t.now() + noticeFirstWait
			return false
		}
		if !n.deliver(k) {
			return t.ctx.Err() != nil || k.lease == 0
		}
	}
	if err := t.change(t.ctx, k.u, func(r Record) (Record, bool) { return r.sent(k.period) }); err != nil {
		k.at = t.now() + noticeFirstWait
		return false
	}
	return true
}

// claim makes sure that this node alone sends the notice for the next 20 s or more.
func (n *notices) claim(k *task) error {
	t := n.t
	now := t.now()
	if k.lease-now > leaseMillis-renewMillis {
		return nil
	}
	t.mu.Lock()
	owner := t.owns(k.u.id)
	t.mu.Unlock()
	if !owner && k.lease <= now {
		return errLeaseLost
	}
	return n.renew(t.ctx, k, now)
}

// renew makes this node the one that sends the notice for the next 30 s.
func (n *notices) renew(ctx context.Context, k *task, now int64) error {
	t := n.t
	err := t.change(ctx, k.u, func(r Record) (Record, bool) { return r.claim(k.period, t.d.Node, now) })
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !k.mine(&k.u.rec.Notice, t.d.Node) {
		return errLeaseLost
	}
	k.lease = k.u.rec.Notice.Lease
	return nil
}

// deliver makes one request, unless it is not needed any more. It is true when the notice is answered or given up; else
// the next attempt is planned, or lease is 0 because the notice is another node's now.
func (n *notices) deliver(k *task) bool {
	t := n.t
	if !t.d.Config().Notices || k.attempts > 0 && t.isActive(k.u) {
		k.answered = true
		return true
	}
	k.attempts++
	err := n.send(k)
	now := t.now()
	switch {
	case err == nil:
		t.d.Metrics.notices.Add(1)
		k.answered = true
	case errors.Is(err, errLeaseLost):
		t.d.Metrics.noticesAbandoned.Add(1)
		k.lease = 0
	case now+k.wait >= k.giveUp:
		t.d.Metrics.noticesLost.Add(1)
		t.log.Warn("Notice of inactivity is given up", "user", string(k.u.id), "request_id", k.id,
			"attempts", k.attempts, "err", err)
		k.answered = true
	default:
		k.at = now + k.wait
		k.wait = min(2*k.wait, noticeLastWait)
	}
	return k.answered
}

func (t *Tracker) isActive(u *user) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return u.rec.State == Active
}

// send makes one request and keeps the lease meanwhile.
func (n *notices) send(k *task) error {
	t := n.t
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	t.mu.Lock()
	k.cancel = cancel
	t.mu.Unlock()
	t.d.Metrics.noticesSending.Add(1)
	var keeper sync.WaitGroup
	sending, stop := context.WithTimeout(ctx, noticeWait)
	keeper.Go(func() { n.keepLease(sending, k, cancel) })
	err := t.d.Notify(sending, k.u.id, k.id)
	stop()
	keeper.Wait()
	t.d.Metrics.noticesSending.Add(-1)
	t.mu.Lock()
	k.cancel = nil
	t.mu.Unlock()
	if err != nil && errors.Is(context.Cause(ctx), errLeaseLost) {
		return errLeaseLost
	}
	return err
}

// keepLease renews the lease until ctx ends; if it cannot, it ends the request.
func (n *notices) keepLease(ctx context.Context, k *task, cancel context.CancelCauseFunc) {
	timer := time.NewTimer(pause(renewMillis))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		now := n.t.now()
		err := n.renew(ctx, k, now)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			timer.Reset(pause(renewMillis))
		case errors.Is(err, errLeaseLost) || n.t.now() > k.lease-leaseMargin:
			cancel(errLeaseLost)
			return
		default:
			timer.Reset(pause(renewAgain))
		}
	}
}

package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

const (
	// associateTimeout bounds what hello waits for: that all nodes know the user to be there, and the state of what the
	// connection was attached to meanwhile. What takes longer is done later.
	associateTimeout = time.Second
	// hurriedTimeout takes its place for slowFor after a hello has waited in vain: while the store has no quorum not
	// everybody has to wait for it.
	hurriedTimeout = 100 * time.Millisecond
	slowFor        = 5 * time.Second
)

// patience is how long the next hello waits.
func (p *Pool) patience() time.Duration {
	if nowMilli() < p.slowUntil.Load() {
		return hurriedTimeout
	}
	return associateTimeout
}

// associate makes a connection one of its user's session and prepares what follows hello: the state of the namespaces it
// was attached to and the users it asked for, while it was being authorized (protocol §7.4). When it returns, whoever
// asks any node finds the user active (protocol §12.2).
func (p *Pool) associate(c *conn, user names.UserID) (replaced *conn) {
	start, patience := time.Now(), p.patience()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	replaced, until := p.sessions.join(c, user)
	if err := p.presence.Joined(ctx, user, until); err != nil {
		p.log.Debug("The other nodes do not know yet that a user is here", "user", string(user), "err", err)
	}
	c.mu.Lock()
	c.joined = true
	attached, users := slices.Clone(c.attachments), c.users
	c.users = nil
	c.watching.Store(len(users) > 0)
	c.mu.Unlock()
	for _, a := range attached {
		p.nowOrLater(ctx, c, func(ctx context.Context) error { return p.openNow(ctx, a) })
	}
	if len(users) > 0 {
		p.nowOrLater(ctx, c, func(ctx context.Context) error { return p.firstUsers(ctx, c, users) })
	}
	if time.Since(start) >= patience {
		p.slowUntil.Store(nowMilli() + slowFor.Milliseconds())
	}
	return replaced
}

// nowOrLater does something that was promised to a connection, or has it tried again until it succeeds.
func (p *Pool) nowOrLater(ctx context.Context, c *conn, do func(context.Context) error) {
	w := unfinishedWork{c, do}
	if err := do(ctx); err != nil && p.again(&w, err) {
		p.unfinished.add(w)
	}
}

// openNow opens the view of an attachment from before hello.
func (p *Pool) openNow(ctx context.Context, a *attachment) error {
	a.conn.mu.Lock()
	done := a.over.Load() || a.view != nil
	a.conn.mu.Unlock()
	if done {
		return nil
	}
	v, err := p.lattices.Open(ctx, a.namespace, a.conn.session.Load().user)
	if err == nil {
		err = p.watchView(a, v)
	}
	return err
}

package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// associateTimeout bounds what hello waits for: that all nodes know the user to be there, and the state of what the
// connection was attached to meanwhile. What takes longer is done later.
const associateTimeout = time.Second

// associate makes a connection one of its user's session and prepares what follows hello: the state of the namespaces it
// was attached to and the users it asked for, while it was being authorized (protocol §7.4). When it returns, whoever
// asks any node finds the user active (protocol §12.2).
func (p *Pool) associate(c *conn, user names.UserID) (replaced *conn) {
	ctx, cancel := context.WithTimeout(p.ctx, associateTimeout)
	defer cancel()
	replaced, until := p.sessions.join(c, user)
	if err := p.presence.Joined(ctx, user, until); err != nil {
		p.log.Debug("The other nodes do not know yet that a user is here", "user", string(user), "err", err)
	}
	c.mu.Lock()
	c.joined = true
	attached, users := slices.Clone(c.attachments), c.users
	c.users = nil
	c.mu.Unlock()
	for _, a := range attached {
		if p.openNow(ctx, a) != nil {
			p.unfinished.add(func(ctx context.Context) error { return p.openNow(ctx, a) })
		}
	}
	if len(users) > 0 {
		first := func(ctx context.Context) error { return p.firstUsers(ctx, c, users) }
		if first(ctx) != nil {
			p.unfinished.add(first)
		}
	}
	return replaced
}

// openNow opens the view of an attachment from before hello.
func (p *Pool) openNow(ctx context.Context, a *attachment) error {
	a.conn.mu.Lock()
	done := a.over || a.view != nil
	a.conn.mu.Unlock()
	if done {
		return nil
	}
	v, err := p.lattices.Open(ctx, a.namespace, a.conn.session.Load().user)
	if err == nil {
		p.watchView(a, v)
	}
	return err
}

// unfinished is what could not be done at a hello because the store was away; it is tried again until it succeeds.
type unfinished struct {
	mu   sync.Mutex // guards todo
	todo []func(context.Context) error
}

const (
	// unfinishedPause is the time between two rounds.
	unfinishedPause = time.Second
	// maxUnfinished bounds what waits; beyond, the client has to be attached again by its backend.
	maxUnfinished = 1 << 20
)

func (u *unfinished) add(f func(context.Context) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.todo) < maxUnfinished {
		u.todo = append(u.todo, f)
	}
}

// run tries again until ctx ends. The first failure ends a round: the store is still away.
func (u *unfinished) run(ctx context.Context) {
	tick := time.NewTicker(unfinishedPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		u.mu.Lock()
		todo := u.todo
		u.todo = nil
		u.mu.Unlock()
		for i, f := range todo {
			try, cancel := context.WithTimeout(ctx, answerTimeout)
			err := f(try)
			cancel()
			if err != nil {
				u.mu.Lock()
				u.todo = append(todo[i:], u.todo...)
				u.mu.Unlock()
				break
			}
		}
	}
}

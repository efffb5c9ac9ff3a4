package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/ws"
)

// userNamespace is the lattice in which clients see who is there (protocol §9).
const userNamespace = names.Namespace("swindon.user")

// WatchUsers has a connection told whether users are there, now and at every change (endpoint 7 of protocol §6). Errors:
// port.ErrGone, port.ErrLimit, port.ErrUnavailable, port.ErrTimeout.
func (p *Pool) WatchUsers(ctx context.Context, id names.ConnID, users []names.UserID) error {
	users = distinct(users)
	if id.Node != p.deps.Node {
		return p.remote(ctx, id, opUsers, appendUsers(nil, users))
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	c, err := p.watcher(id.N, users)
	if err != nil || c == nil {
		return err
	}
	return p.tellUsers(ctx, c, users)
}

// UnwatchUsers ends it (endpoint 8).
func (p *Pool) UnwatchUsers(ctx context.Context, id names.ConnID) error {
	if id.Node == p.deps.Node {
		return p.unwatch(id.N)
	}
	return p.remote(ctx, id, opUnusers, nil)
}

// UpdateUsers adds users to those that all connections of one user are told of, on every node (endpoint 9): a nil error
// means on every node of the live table, so one that has fallen silent is waited for until it counts as dead (decision
// D16). Errors: port.ErrLimit, port.ErrUnavailable, port.ErrTimeout; then some nodes may have done it.
func (p *Pool) UpdateUsers(ctx context.Context, user names.UserID, users []names.UserID) error {
	if user == "" {
		return nil // nobody has this id (decision D5)
	}
	if !p.deps.Bus.Up() {
		return port.ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	users = distinct(users)
	if err := p.addUsers(ctx, user, users); err != nil {
		return err
	}
	var refused error // by another node
	err := p.askAll(ctx, deadAfter, port.Message{
		Subject: p.deps.Space.User(user, opUsers), Header: p.nodes.header, Data: appendUsers(nil, users),
	}, func(m port.Message) {
		if err := commandError(m.Header.Get(port.HeaderErrorCode)); err != nil {
			refused = err
		}
	})
	return cmp.Or(err, refused)
}

// distinct leaves out what is listed again. It may change users.
func distinct(users []names.UserID) []names.UserID {
	seen := make(map[names.UserID]struct{}, len(users))
	return slices.DeleteFunc(users, func(u names.UserID) bool {
		_, again := seen[u]
		seen[u] = struct{}{}
		return again
	})
}

// watcher notes that a connection watches users. The connection is nil when nothing more is to be done now: it is still
// being authorized.
func (p *Pool) watcher(n uint64, users []names.UserID) (*conn, error) {
	c := p.conns.get(n)
	if c == nil {
		return nil, port.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return nil, port.ErrGone
	case c.joined:
		return c, nil
	}
	all := distinct(append(slices.Clone(c.users), users...))
	if len(all) > p.cfg.Load().MaxSubscriptionsPerConnection {
		return nil, fmt.Errorf("users that one connection watches: %w", port.ErrLimit)
	}
	c.users = all
	return nil, nil
}

// tellUsers has a connection watch users and tells it how they are.
func (p *Pool) tellUsers(ctx context.Context, c *conn, users []names.UserID) error {
	if err := p.watches.watch(c, users, p.cfg.Load().MaxSubscriptionsPerConnection); err != nil {
		return err
	}
	list, err := p.presence.Statuses(ctx, users)
	if err != nil {
		return err
	}
	c.send(statusFrame(users, list))
	return nil
}

// firstUsers tells a connection after its hello about all users that its session watches (protocol §9.1), unless it has
// been told since that it does not watch any more.
func (p *Pool) firstUsers(ctx context.Context, c *conn, users []names.UserID) error {
	s := c.session.Load()
	if err := p.watches.promise(c, users, p.cfg.Load().MaxSubscriptionsPerConnection); err != nil {
		return err
	}
	if !c.watching.Load() {
		return nil
	}
	all := s.watched()
	list, err := p.presence.Statuses(ctx, all)
	if err != nil {
		return err
	}
	if c.watching.Load() {
		c.sendState(statusFrame(all, list))
	}
	return nil
}

// unwatch ends the presence frames of a connection. The session's list ends with its last watcher.
func (p *Pool) unwatch(n uint64) error {
	c := p.conns.get(n)
	if c == nil {
		return port.ErrGone
	}
	c.mu.Lock()
	c.users = nil
	c.mu.Unlock()
	if c.session.Load() != nil && c.watching.Swap(false) {
		p.watches.clear(c)
	}
	return nil
}

// addUsers adds users to those that a user's session on this node watches, if there is one.
func (p *Pool) addUsers(ctx context.Context, user names.UserID, users []names.UserID) error {
	s := p.sessions.find(user, false)
	if s == nil {
		return nil
	}
	switch err := p.watches.add(s, users, p.cfg.Load().MaxSubscriptionsPerConnection); {
	case errors.Is(err, port.ErrGone):
		return nil // it has just left
	case err != nil:
		return err
	}
	if !s.hasWatcher() {
		return nil
	}
	list, err := p.presence.Statuses(ctx, users)
	if err != nil {
		return err
	}
	s.tell(statusFrame(users, list))
	return nil
}

// statusChanged tells whoever watches a user on this node that it is there, or is no more. One is never told about
// oneself (protocol §9.3).
func (p *Pool) statusChanged(user names.UserID, st presence.Status) {
	var f ws.Frame
	for _, s := range p.watches.of(user) {
		if s.user == user {
			continue
		}
		if f.Len() == 0 {
			f = statusFrame([]names.UserID{user}, []presence.Status{st})
		}
		s.tell(f)
	}
}

// statusFrame tells how users are.
func statusFrame(users []names.UserID, list []presence.Status) ws.Frame {
	b := append(make([]byte, 0, 2+64*len(users)), '{')
	for i, u := range users {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendStatus(b, u, list[i].Version, list[i].State.String())
	}
	return latticeFrame(userNamespace, append(b, '}'))
}

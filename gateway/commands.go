package gateway

import (
	"context"
	"encoding/json"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// hearConn applies a command for a connection of this node and answers it. What is quick is done at once, in the order
// of arrival; what waits for the store is only begun.
func (p *Pool) hearConn(m port.Message) {
	id, op, err := p.deps.Space.ParseConn(m.Subject)
	if err != nil || id.Node != p.deps.Node {
		p.answer(m, port.ErrMalformed)
		return
	}
	switch op {
	case opSubscribe, opUnsubscribe:
		p.answer(m, p.hearSubscription(id.N, op, m.Data))
	case opAttach, opDetach:
		p.hearAttachment(m, id.N, op)
	case opUsers:
		p.hearUsers(m, id.N)
	case opUnusers:
		p.answer(m, p.unwatch(id.N))
	case opInfo:
		p.answer(m, p.info(id.N, m.Data))
	case opKick:
		c := p.conns.get(id.N)
		if c == nil {
			p.answer(m, port.ErrGone)
			return
		}
		c.close(closeKicked, reasonKicked)
		p.answer(m, nil)
	default:
		p.answer(m, port.ErrMalformed)
	}
}

func (p *Pool) hearSubscription(n uint64, op string, data []byte) error {
	t, err := names.ParseTopic(string(data))
	switch {
	case err != nil:
		return port.ErrMalformed
	case op == opSubscribe:
		return p.subscribe(n, t)
	}
	return p.unsubscribe(n, t)
}

// info tells whether a connection is there and, when data names a namespace, whether it could be attached to it.
func (p *Pool) info(n uint64, data []byte) error {
	if ns, err := names.ParseNamespace(string(data)); err == nil {
		return p.room(n, ns)
	}
	if p.conns.get(n) == nil {
		return port.ErrGone
	}
	return nil
}

func (p *Pool) hearAttachment(m port.Message, n uint64, op string) {
	ns, err := names.ParseNamespace(string(m.Data))
	if err != nil {
		p.answer(m, port.ErrMalformed)
		return
	}
	if op == opDetach {
		p.answer(m, p.detach(n, ns))
		return
	}
	a, err := p.attach(n, ns)
	if err != nil || a == nil {
		p.answer(m, err)
		return
	}
	if !p.async(func(ctx context.Context) { p.answer(m, p.show(ctx, a)) }) {
		a.forsake()
		p.answer(m, port.ErrUnavailable)
	}
}

func (p *Pool) hearUsers(m port.Message, n uint64) {
	users, ok := parseUsers(m.Data)
	if !ok {
		p.answer(m, port.ErrMalformed)
		return
	}
	c, err := p.watcher(n, users)
	if err != nil || c == nil {
		p.answer(m, err)
		return
	}
	if !p.async(func(ctx context.Context) { p.answer(m, p.tellUsers(ctx, c, users)) }) {
		p.answer(m, port.ErrUnavailable)
	}
}

// hearUser applies a command for all connections of a user. To a node every node answers, to a backend only those that
// hold the user.
func (p *Pool) hearUser(m port.Message) {
	user, op, err := p.deps.Space.ParseUser(m.Subject)
	if err != nil {
		p.answer(m, port.ErrMalformed)
		return
	}
	until, conns := p.sessions.local(user)
	switch op {
	case opKick:
		for _, c := range p.sessions.of(user) {
			c.close(closeKicked, reasonKicked)
		}
	case opActive:
		b, _ := json.Marshal(whereabouts{until, conns}) // two numbers
		p.answerWith(m, b)
		return
	case opUsers:
		users, ok := parseUsers(m.Data)
		if !ok {
			p.answer(m, port.ErrMalformed)
			return
		}
		if conns > 0 {
			if !p.async(func(ctx context.Context) { p.answer(m, p.addUsers(ctx, user, users)) }) {
				p.answer(m, port.ErrUnavailable)
			}
			return
		}
	default:
		p.answer(m, port.ErrMalformed)
		return
	}
	if conns > 0 || m.Header.Get(port.HeaderNode) != "" {
		p.answer(m, nil)
	}
}

// appendUsers appends a list of users as JSON.
func appendUsers(b []byte, users []names.UserID) []byte {
	b = append(b, '[')
	for i, u := range users {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendQuoted(b, string(u))
	}
	return append(b, ']')
}

// parseUsers reads a list of users; the empty id is legal in it (protocol §9.1, decision D5). False: it is none.
func parseUsers(data []byte) ([]names.UserID, bool) {
	if jsontext.Check(data) != nil {
		return nil, false
	}
	list, ok := jsontext.Strings(data)
	if !ok {
		return nil, false
	}
	users, err := names.ParseUserIDs(list)
	return distinct(users), err == nil
}

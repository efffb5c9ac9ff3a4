package gateway

import (
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// intake takes what other nodes and backends send on the ordered lane, one message at a time, in their order. It does
// nothing that takes long: outboxes take frames without blocking.
func (p *Pool) intake(m port.Message) {
	if m.Header.Get(port.HeaderNode) == string(p.deps.Node) {
		// What this node publishes it has delivered already.
		return
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, p.deps.Space.Root()+"."), ".")
	switch kind {
	case "top":
		p.hearTopic(m)
	case "conn":
		p.hearConn(m)
	case "user":
		p.hearUser(m)
	case "nodes":
		p.hearBeat(m)
	case "node":
		p.hearNode(m)
	default:
		p.deps.Metrics.badMessages.Add(1)
	}
}

// hearTopic delivers a publish of another node or of a backend. Backends may send anything (decision D12).
func (p *Pool) hearTopic(m port.Message) {
	t, err := p.deps.Space.ParseTopic(m.Subject)
	if err == nil {
		err = jsontext.Check(m.Data)
	}
	if err != nil {
		p.deps.Metrics.badMessages.Add(1)
		p.log.Debug("Bad message is dropped", "subject", m.Subject, "err", err)
		return
	}
	p.deliver(t, m.Data)
}

// hearConn applies a command for a connection of this node and answers it.
func (p *Pool) hearConn(m port.Message) {
	id, op, err := p.deps.Space.ParseConn(m.Subject)
	if err != nil || id.Node != p.deps.Node {
		p.answer(m, port.ErrMalformed)
		return
	}
	switch op {
	case opSubscribe, opUnsubscribe:
		t, err := names.ParseTopic(string(m.Data))
		switch {
		case err != nil:
			p.answer(m, port.ErrMalformed)
		case op == opSubscribe:
			p.answer(m, p.subscribe(id.N, t))
		default:
			p.answer(m, p.unsubscribe(id.N, t))
		}
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

// hearUser applies a command for all connections of a user. Only nodes that hold the user answer.
func (p *Pool) hearUser(m port.Message) {
	user, op, err := p.deps.Space.ParseUser(m.Subject)
	if err != nil || op != opKick {
		p.answer(m, port.ErrMalformed)
		return
	}
	conns := p.sessions.of(user)
	for _, c := range conns {
		c.close(closeKicked, reasonKicked)
	}
	if len(conns) > 0 {
		p.answer(m, nil)
	}
}

// hearNode answers a request to this node alone.
func (p *Pool) hearNode(m port.Message) {
	if strings.HasSuffix(m.Subject, "."+opPing) {
		p.answer(m, nil)
		return
	}
	p.answer(m, port.ErrMalformed)
}

// answer answers a command, if anybody waits for it. It goes out on the ordered lane, behind everything that this node
// has published before.
func (p *Pool) answer(m port.Message, err error) {
	if err != nil {
		p.log.Debug("Command is refused", "subject", m.Subject, "err", err)
	}
	if m.Reply == "" {
		return
	}
	out := port.Message{Subject: m.Reply}
	if err != nil {
		out.Header = port.Header{
			port.HeaderErrorCode: {strconv.Itoa(commandStatus(err))}, port.HeaderError: {err.Error()},
		}
	}
	if err := p.deps.Bus.Publish(out); err != nil {
		p.log.Debug("Answer could not be sent", "subject", m.Subject, "err", err)
	}
}

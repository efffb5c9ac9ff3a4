package gateway

import (
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of what is delivered on the goroutine that reads from NATS.
const (
	quickSubscribers = 16
	quickSize        = 4 << 10 // bytes of a message
)

// quick takes a message of a topic that has few subscribers here, or none, as most have; false: the message is for intake.
func (p *Pool) quick(m port.Message) bool {
	if !p.deps.Space.IsTopic(m.Subject) || len(m.Data) > quickSize {
		return false
	}
	if p.own(m) {
		return true
	}
	name, err := p.deps.Space.ParseTopic(m.Subject)
	if err != nil {
		return false
	}
	if t := p.topics.find(name, false); t != nil && (jsontext.Check(m.Data) != nil || !p.topics.pushFew(t, message(name, m.Data))) {
		return false
	}
	p.deps.Metrics.fromNodes.Add(1)
	p.deps.Metrics.pubIn.Add(1)
	return true
}

// own tells whether this node has published m: then it has delivered it already.
func (p *Pool) own(m port.Message) bool {
	return m.Reply == p.nodes.origin || m.Header.Get(port.HeaderNode) == string(p.deps.Node)
}

// intake takes what other nodes and backends send on the ordered lane, one message at a time, in their order. It does
// nothing that takes long: outboxes take frames without blocking.
func (p *Pool) intake(m port.Message) {
	if p.own(m) {
		return
	}
	p.deps.Metrics.fromNodes.Add(1)
	kind, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(m.Subject, p.deps.Space.Root()), "."), ".")
	switch kind {
	case "top":
		p.hearTopic(m)
	case "conn":
		p.hearConn(m)
	case "user":
		p.hearUser(m)
	case "lat":
		p.lattices.Hear(m)
	case "load":
		p.met(m)
		p.lattices.HearLoad(m)
	case "nodes":
		p.hearNodes(m)
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
		if p.topics.find(t, false) == nil {
			// Most messages are for nobody here, so they are not looked at.
			p.deps.Metrics.pubIn.Add(1)
			return
		}
		err = jsontext.Check(m.Data)
	}
	if err != nil {
		p.deps.Metrics.badMessages.Add(1)
		p.log.Debug("Bad message is dropped", "subject", m.Subject, "err", err)
		return
	}
	p.deliver(t, m.Data)
}

// hearNode answers a request to this node alone.
func (p *Pool) hearNode(m port.Message) {
	if strings.HasSuffix(m.Subject, "."+opPing) {
		p.met(m)
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
	header := p.nodes.header
	if err != nil {
		header = port.Header{
			port.HeaderNode:      header[port.HeaderNode],
			port.HeaderErrorCode: {strconv.Itoa(commandStatus(err))}, port.HeaderError: {err.Error()},
		}
	}
	p.reply(m, header, nil)
}

// answerWith answers a question.
func (p *Pool) answerWith(m port.Message, data []byte) { p.reply(m, p.nodes.header, data) }

func (p *Pool) reply(m port.Message, header port.Header, data []byte) {
	if m.Reply == "" {
		return
	}
	if err := p.deps.Bus.Publish(port.Message{Subject: m.Reply, Header: header, Data: data}); err != nil {
		p.log.Debug("Answer could not be sent", "subject", m.Subject, "err", err)
	}
}

// hearNodes takes what is said to all nodes.
func (p *Pool) hearNodes(m port.Message) {
	if m.Subject == p.deps.Space.Nodes(opViewers) {
		p.lattices.HearViewers(m)
		return
	}
	p.hearBeat(m)
}

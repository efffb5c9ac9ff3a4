package gateway

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// nodes is the live table: which other nodes have been heard of, and when. It is used to tell a node that is gone from
// one that does not answer (decision D16).
type nodes struct {
	self names.NodeID
	now  func() time.Duration
	// header says from whom a message is. It is shared by all messages and must not be changed.
	header port.Header
	// origin says it in messages of topics, as their reply subject: there are many, and a header costs each node more to read
	// than all the rest of a message that it has no subscriber for.
	origin string

	mu   sync.Mutex // guards seen
	seen map[names.NodeID]time.Duration
}

const (
	opBeat       = "beat"
	beatInterval = time.Second
	// A silence after which a node counts as dead.
	deadAfter = 10 * time.Second
	// A bound of the table, whoever sends beats.
	maxNodes = 4096
)

func newNodes(self names.NodeID, space names.Space, now func() time.Duration) *nodes {
	return &nodes{
		self: self, now: now, seen: make(map[names.NodeID]time.Duration),
		header: port.Header{port.HeaderNode: {string(self)}},
		origin: space.Origin(self),
	}
}

// heard notes a beat.
func (n *nodes) heard(id names.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.seen[id]; known || len(n.seen) < maxNodes {
		n.seen[id] = n.now()
	}
}

func (n *nodes) remove(id names.NodeID) {
	n.mu.Lock()
	delete(n.seen, id)
	n.mu.Unlock()
}

// alive tells whether a node has been heard of lately.
func (n *nodes) alive(id names.NodeID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.seen[id]
	return ok && n.now()-at < deadAfter
}

// bury forgets the dead.
func (n *nodes) bury() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for id, at := range n.seen {
		if now-at >= deadAfter {
			delete(n.seen, id)
		}
	}
}

// startBeat begins to beat. After stop no beat is sent any more: one would undo a farewell.
func (p *Pool) startBeat() (stop func()) {
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	p.wg.Go(func() {
		defer close(done)
		p.beat(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}

// beat tells the other nodes once a second that this one lives, until ctx ends.
func (p *Pool) beat(ctx context.Context) {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for seq := uint64(1); ; seq++ {
		b := append(make([]byte, 0, 96), `{"seq":`...)
		b = strconv.AppendUint(b, seq, 10)
		b = append(b, `,"connections":`...)
		b = strconv.AppendInt(b, p.connCount.Load(), 10)
		b = append(b, `,"users":`...)
		b = strconv.AppendInt(b, int64(p.sessions.count()), 10)
		b = p.lattices.BeatFields(b)
		p.sendBeat(append(b, '}'))
		p.nodes.bury()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// farewell tells the other nodes that this one leaves, so that they need not wait until it counts as dead.
func (p *Pool) farewell() { p.sendBeat([]byte(`{"leaving":true}`)) }

func (p *Pool) sendBeat(body []byte) {
	// While NATS is away nobody can hear us; the next beat comes soon.
	_ = p.deps.Bus.Publish(port.Message{Subject: p.deps.Space.Nodes(opBeat), Header: p.nodes.header, Data: body})
}

// met takes a node that begins to speak with us for alive before its first beat, so that from its first word on it is
// waited for (decision D24).
func (p *Pool) met(m port.Message) {
	if id, err := names.ParseNodeID(m.Header.Get(port.HeaderNode)); err == nil {
		p.nodes.heard(id)
	}
}

// hearBeat takes another node's beat.
func (p *Pool) hearBeat(m port.Message) {
	id, err := names.ParseNodeID(m.Header.Get(port.HeaderNode))
	if err != nil || jsontext.Check(m.Data) != nil {
		p.deps.Metrics.badMessages.Add(1)
		return
	}
	if v, ok := jsontext.Lookup(m.Data, "leaving"); ok && string(v) == "true" {
		p.nodes.remove(id)
		return
	}
	p.nodes.heard(id)
	p.lattices.HearBeat(id, m.Data)
}

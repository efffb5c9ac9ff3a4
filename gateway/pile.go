package gateway

import (
	"errors"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
	"github.com/swindon-go/swindon/lattice"
)

// told is what all watchers of one replica.Change share; its Memo. The lock under which Changed is called guards it.
type told struct {
	frame ws.Frame
	// keys is what the frame says, read out of it when it is first joined with another.
	keys *lattice.Keys
}

// tell returns what the watchers share of a change.
func tell(c *replica.Change) *told {
	t, ok := c.Memo.(*told)
	if !ok {
		t = &told{frame: latticeFrame(c.Namespace, c.Data)}
		c.Memo = t
	}
	return t
}

// read returns the keys of a change; nil if they cannot be read.
func (t *told) read(data []byte) *lattice.Keys {
	if t.keys == nil {
		k, err := lattice.ParseKeys(data)
		if err != nil {
			return nil // a defect of ours: the frame goes out by itself
		}
		t.keys = &k
	}
	return t.keys
}

// Changed queues what has changed for the client. It is framed once for all who see the same. When too much waits for
// the client already it is joined into the change that waits, if one does (architecture, life of a connection, no. 5).
func (a *attachment) Changed(c *replica.Change) {
	t := tell(c)
	switch {
	case !a.conn.offer(t.frame):
		// What comes later may not overtake this one any more.
		a.pile = nil
	case a.joined(t, c):
		a.conn.handler.pool.deps.Metrics.latticeJoined.Add(1)
		return
	default:
		a.heap(t, c)
	}
	a.conn.handler.pool.deps.Metrics.latticeOut.Add(1)
}

// joined tells whether a change has become a part of the one that waits. Once the connection is detached it may be
// attached again by another attachment, whose state the change must not overtake.
func (a *attachment) joined(t *told, c *replica.Change) bool {
	p := a.pile
	if p == nil || c.Whole || a.over.Load() {
		return false
	}
	d := t.read(c.Data)
	return d != nil && a.conn.ws.Amend(p.draft, func() bool { return p.join(d, c.Anew) })
}

// heap queues a change by itself; later ones may join it.
func (a *attachment) heap(t *told, c *replica.Change) {
	a.pile = nil
	d := t.read(c.Data)
	if c.Whole || d == nil {
		a.conn.send(t.frame)
		return
	}
	p := &pile{namespace: c.Namespace, frame: t.frame, first: d, size: t.frame.Len()}
	var err error
	// A connection that is too slow closes itself.
	if p.draft, err = a.conn.ws.SendDraft(p); err == nil {
		a.pile = p
	}
}

// offer is send, unless more than half of what may wait for the client does: then it returns true and does nothing.
func (c *conn) offer(f ws.Frame) (crowded bool) {
	if p := c.pending.Load(); p != nil && p.keep(f) {
		return false
	}
	return errors.Is(c.ws.Offer(f), ws.ErrCrowded)
}

// pile is the content of a draft: changes of one namespace, joined for one connection.
type pile struct {
	draft     *ws.Draft
	namespace names.Namespace

	// The connection's lock guards the following, until the frame is made.
	frame ws.Frame      // while there is only one change in it: that one's, which others may have as well
	first *lattice.Keys // what that one says; shared, too
	keys  lattice.Keys  // all that is in it when there are several
	size  int
}

// join takes a change in. It returns false, and does nothing, when the change brings a key anew that the pile has of an
// earlier life: what has ended must not mix with it.
func (p *pile) join(d *lattice.Keys, anew []names.Key) bool {
	have := &p.keys
	if p.first != nil {
		have = p.first
	}
	for _, k := range anew {
		if have.Get(k) != nil {
			return false
		}
	}
	if p.first != nil {
		p.keys = p.first.Clone()
		p.first, p.frame = nil, ws.Frame{}
	}
	// What clients see has no ends and no generations: it joins by the values alone.
	p.size -= p.length(d)
	p.keys.Merge(d)
	p.size += p.length(d)
	return true
}

// length is that of those keys of d that the pile has, as text.
func (p *pile) length(d *lattice.Keys) (n int) {
	for k := range d.All() {
		if s := p.keys.Get(k); s != nil {
			n += len(k) + len(`"":,`) + s.VarsLen()
		}
	}
	return n
}

// Size is that of the frame.
func (p *pile) Size() int { return p.size }

// Frame makes the frame and forgets what it was made of.
func (p *pile) Frame() ws.Frame {
	f := p.frame
	if p.first == nil {
		f = latticeFrame(p.namespace, p.keys.AppendVars(make([]byte, 0, p.size)))
	}
	p.frame, p.first, p.keys = ws.Frame{}, nil, lattice.Keys{}
	return f
}

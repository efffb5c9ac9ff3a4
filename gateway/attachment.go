package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/ws"
)

// attachment is one connection that looks at one namespace. The fields below conn are guarded by its lock.
type attachment struct {
	conn      *conn
	namespace names.Namespace
	// view is nil until the user's view has been opened.
	view *replica.View
	// over tells that the connection has been detached, or has left. It is set under the lock.
	over atomic.Bool
	// kept tells that the attachment was acknowledged before hello, opening how many requests wait for its view: one that
	// fails takes it away only when nobody else was, or will be, told that it is there.
	kept    bool
	opening int32
	// pile is the last change that was queued, if others may still join it. It is guarded by the lock under which Changed
	// is called.
	pile *pile
}

// latticeFrame frames the state of a namespace, or a change of it.
func latticeFrame(ns names.Namespace, data []byte) ws.Frame {
	var meta [128]byte
	parts := wire.Frame(wire.Lattice, wire.AppendNamespaceMeta(meta[:0], ns), data)
	return ws.Text(parts[:]...)
}

// attach notes that a connection looks at a namespace. The attachment is nil when nothing more is to be done now: the
// connection is still being authorized, and its view is opened with its hello. Otherwise show or forsake must follow.
func (p *Pool) attach(n uint64, ns names.Namespace) (*attachment, error) {
	c := p.conns.get(n)
	if c == nil {
		return nil, port.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, port.ErrGone
	}
	i := c.attached(ns)
	if i < 0 {
		if err := p.full(c); err != nil {
			return nil, err
		}
		// The name may be a piece of a whole request line.
		i = len(c.attachments)
		c.attachments = append(c.attachments, &attachment{conn: c, namespace: names.Namespace(strings.Clone(string(ns)))})
	}
	a := c.attachments[i]
	if !c.joined {
		a.kept = true
		return nil, nil
	}
	a.opening++
	return a, nil
}

// room is the error that attach would give, if any.
func (p *Pool) room(n uint64, ns names.Namespace) error {
	c := p.conns.get(n)
	if c == nil {
		return port.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return port.ErrGone
	case c.attached(ns) >= 0:
		return nil
	}
	return p.full(c)
}

// full is port.ErrLimit when a connection cannot be attached to one more namespace. The caller holds mu.
func (p *Pool) full(c *conn) error {
	if len(c.attachments) < p.cfg.Load().MaxSubscriptionsPerConnection {
		return nil
	}
	return fmt.Errorf("lattices of one connection: %w", port.ErrLimit)
}

// attached is the index of the attachment to a namespace, or -1. The caller holds mu.
func (c *conn) attached(ns names.Namespace) int {
	return slices.IndexFunc(c.attachments, func(a *attachment) bool { return a.namespace == ns })
}

// show opens the user's view, if that was not done before, and sends the whole of it. On error a connection that saw
// nothing before is detached again.
func (p *Pool) show(ctx context.Context, a *attachment) error {
	v, err := p.lattices.Open(ctx, a.namespace, a.conn.session.Load().user)
	if err != nil {
		a.forsake()
		return err
	}
	err = p.watchView(a, v)
	a.conn.mu.Lock()
	a.opening--
	a.conn.mu.Unlock()
	return err
}

// forsake ends a request that attach has begun and that has failed.
func (a *attachment) forsake() {
	c := a.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	a.opening--
	if a.over.Load() || a.view != nil || a.kept || a.opening > 0 {
		return
	}
	a.over.Store(true)
	c.attachments = slices.DeleteFunc(c.attachments, func(o *attachment) bool { return o == a })
}

// watchView sends a view's state and has its changes sent. It takes over the view. The error is port.ErrGone when the
// connection has left.
func (p *Pool) watchView(a *attachment, v *replica.View) error {
	c := a.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		v.Close()
		return port.ErrGone
	case a.over.Load(): // detached meanwhile
		v.Close()
		return nil
	case a.view == nil:
		a.view = v
	default:
		v.Close() // the attachment has one already
	}
	// Under the connection's lock, so that nobody detaches meanwhile.
	a.view.Attach(a, func(snapshot []byte) {
		p.deps.Metrics.latticeOut.Add(1)
		a.pile = nil // no change overtakes the state
		c.sendState(latticeFrame(a.namespace, snapshot))
	})
	return nil
}

// detach ends an attachment.
func (p *Pool) detach(n uint64, ns names.Namespace) error {
	c := p.conns.get(n)
	if c == nil {
		return port.ErrGone
	}
	c.mu.Lock()
	i := c.attached(ns)
	var a *attachment
	if i >= 0 {
		a = c.attachments[i]
		c.attachments = slices.Delete(c.attachments, i, i+1)
		a.over.Store(true)
	}
	c.mu.Unlock()
	a.end()
	return nil
}

// end gives the view of an attachment that is over back. A nil attachment has none.
func (a *attachment) end() {
	if a == nil || a.view == nil {
		return
	}
	a.view.Detach(a)
	a.view.Close()
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/ws"
)

// answerTimeout bounds the wait for NATS or another node on behalf of a backend (decisions D15, D16).
const answerTimeout = 2 * time.Second

// Subscribe subscribes a connection to a topic, wherever it is. A nil error means that every publish from now on reaches
// it. Errors: port.ErrGone, port.ErrLimit, port.ErrUnavailable (nothing was done), port.ErrTimeout (unknown).
func (p *Pool) Subscribe(ctx context.Context, id names.ConnID, t names.Topic) error {
	if id.Node == p.deps.Node {
		return p.subscribe(id.N, t)
	}
	return p.remote(ctx, id, opSubscribe, []byte(t))
}

// Unsubscribe ends a subscription; one that does not exist is none to end. Errors as Subscribe's.
func (p *Pool) Unsubscribe(ctx context.Context, id names.ConnID, t names.Topic) error {
	if id.Node == p.deps.Node {
		return p.unsubscribe(id.N, t)
	}
	return p.remote(ctx, id, opUnsubscribe, []byte(t))
}

func (p *Pool) subscribe(n uint64, t names.Topic) error {
	if !p.deps.Bus.Up() {
		// A promise that publishes from other nodes arrive cannot be given (decision D44).
		return port.ErrUnavailable
	}
	c := p.conns.get(n)
	if c == nil {
		return port.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return port.ErrGone
	case slices.ContainsFunc(c.subs, func(s *subscription) bool { return s.topic.name == t }):
		return nil
	case len(c.subs) >= p.cfg.Load().MaxSubscriptionsPerConnection:
		return fmt.Errorf("subscriptions of one connection: %w", port.ErrLimit)
	}
	sub := p.topics.add(t, c)
	if c.subs == nil {
		// Most connections have one subscription or few.
		c.subs = make([]*subscription, 0, 1)
	}
	c.subs = append(c.subs, sub)
	return nil
}

func (p *Pool) unsubscribe(n uint64, t names.Topic) error {
	c := p.conns.get(n)
	if c == nil {
		return port.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.subs, func(s *subscription) bool { return s.topic.name == t })
	if i < 0 {
		return nil
	}
	p.topics.remove(c.subs[i])
	last := len(c.subs) - 1
	c.subs[i], c.subs[last] = c.subs[last], nil
	c.subs = c.subs[:last]
	return nil
}

// Publish delivers data, a checked JSON text, to every subscriber of a topic: when it returns nil the message is in the
// outboxes of this node and NATS has taken it for the others (decision D15). The caller may reuse data afterwards. Errors:
// port.ErrUnavailable and port.ErrTooLarge (nothing delivered), port.ErrTimeout (may have been delivered).
func (p *Pool) Publish(ctx context.Context, t names.Topic, data []byte) error {
	epoch := p.deps.Bus.Epoch()
	if err := p.publish(t, data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := p.deps.Bus.Flush(ctx); err != nil {
		return flushed(err)
	}
	return p.same(epoch)
}

// errReconnected says that a receipt came from another connection than the one that a message was sent on.
var errReconnected = fmt.Errorf("nats connection lost meanwhile: %w", port.ErrTimeout)

// same is nil when a flush that has succeeded speaks for what was published in an epoch.
func (p *Pool) same(epoch uint64) error {
	if p.deps.Bus.Epoch() != epoch {
		return errReconnected
	}
	return nil
}

// flushed gives the outcome of a flush its meaning: what was handed to NATS before it failed may have been delivered.
func flushed(err error) error {
	if err == nil || errors.Is(err, port.ErrTimeout) {
		return err
	}
	return fmt.Errorf("%w: %w", port.ErrTimeout, err)
}

// publish hands a message to NATS and to this node's subscribers, in this order, because NATS may refuse it.
func (p *Pool) publish(t names.Topic, data []byte) error {
	if err := p.deps.Bus.Publish(port.Message{Subject: p.deps.Space.Topic(t), Reply: p.nodes.origin, Data: data}); err != nil {
		return err
	}
	p.deliver(t, data)
	return nil
}

// deliver queues a message for this node's subscribers. It is framed once for all of them.
func (p *Pool) deliver(t names.Topic, data []byte) {
	p.deps.Metrics.pubIn.Add(1)
	p.topics.push(t, message(t, data))
}

// message frames a message of a topic when it is needed.
func message(t names.Topic, data []byte) func() ws.Frame {
	return func() ws.Frame {
		var meta [128]byte
		parts := wire.Frame(wire.Message, wire.AppendTopicMeta(meta[:0], t), jsontext.Trim(data))
		return ws.Text(parts[:]...)
	}
}

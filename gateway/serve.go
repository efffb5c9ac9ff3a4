package gateway

import (
	"context"
	"sync"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/port"
)

// maxAcks bounds the publishes that wait for their acknowledgement; beyond: 503.
const maxAcks = 100_000

// servePublish takes an acknowledged publish of a backend over NATS.
func (p *Pool) servePublish(m port.Message) {
	t, err := p.deps.Space.ParsePublish(m.Subject)
	if err == nil {
		err = jsontext.Check(m.Data)
	}
	switch {
	case err != nil:
		p.deps.Metrics.badMessages.Add(1)
		p.answer(m, port.ErrMalformed)
	case int64(len(m.Data)) > p.cfg.Load().MaxPayloadSize:
		p.answer(m, port.ErrTooLarge)
	default:
		epoch := p.deps.Bus.Epoch()
		if err := p.publish(t, m.Data); err != nil {
			p.answer(m, err)
			return
		}
		if m.Reply != "" && !p.acks.add(m, epoch) {
			p.answer(m, port.ErrUnavailable)
		}
	}
}

// acks acknowledges publishes after a flush; all that wait share one.
type acks struct {
	pool *Pool

	mu      sync.Mutex // guards waiting
	waiting []ack
	wake    chan struct{}
}

// ack is one publish, made in an epoch of the bus.
type ack struct {
	m     port.Message
	epoch uint64
}

func newAcks(p *Pool) *acks { return &acks{pool: p, wake: make(chan struct{}, 1)} }

// add is false when too many wait.
func (a *acks) add(m port.Message, epoch uint64) bool {
	a.mu.Lock()
	ok := len(a.waiting) < maxAcks
	if ok {
		a.waiting = append(a.waiting, ack{port.Message{Subject: m.Subject, Reply: m.Reply}, epoch})
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return ok
}

func (a *acks) run(ctx context.Context) {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		batch := a.waiting
		a.waiting = nil
		a.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		flush, cancel := context.WithTimeout(ctx, answerTimeout)
		err := a.pool.deps.Bus.Flush(flush)
		cancel()
		now := a.pool.deps.Bus.Epoch()
		for _, each := range batch {
			if err == nil && each.epoch != now {
				a.pool.answer(each.m, errReconnected)
				continue
			}
			a.pool.answer(each.m, err)
		}
	}
}

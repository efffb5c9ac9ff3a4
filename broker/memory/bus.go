package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// Bus is one node's part of a Network. It does what broker.Broker does. All methods may be called concurrently.
type Bus struct {
	net *Network

	// The following are guarded by net.mu.
	down  bool
	epoch uint64
	drop  func(port.Message) bool
	wire  wire
	gap   func(reason string)
}

var errSubject = errors.New("bad subject")

// Up tells whether the node is connected.
func (b *Bus) Up() bool {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	return !b.down
}

// Epoch changes when the node is connected again.
func (b *Bus) Epoch() uint64 {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	return b.epoch
}

// MaxPayload is the largest Data that may be sent, in bytes.
func (b *Bus) MaxPayload() int64 { return b.net.maxPayload }

// Publish sends m on the ordered lane.
func (b *Bus) Publish(m port.Message) error {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	if err := b.check(m); err != nil {
		return err
	}
	m = own(m)
	if b.drop != nil && b.drop(m) {
		return nil
	}
	b.enqueue(func() { b.net.route(b, port.LaneOrdered, m) }, nil)
	return nil
}

// check tells why m cannot be sent. The caller holds net.mu.
func (b *Bus) check(m port.Message) error {
	switch {
	case b.down:
		return port.ErrUnavailable
	case int64(len(m.Data)) > b.net.maxPayload:
		return fmt.Errorf("message of %d bytes: %w", len(m.Data), port.ErrTooLarge)
	case m.Subject == "" || strings.ContainsAny(m.Subject, " \t\r\n"):
		return fmt.Errorf("%w %q", errSubject, m.Subject)
	}
	return nil
}

// own returns a copy of m that shares nothing with the sender's.
func own(m port.Message) port.Message {
	m.Data = bytes.Clone(m.Data)
	m.Header = maps.Clone(m.Header)
	for name, values := range m.Header {
		m.Header[name] = slices.Clone(values)
	}
	return m
}

// Flush returns when everything that was published before has been routed.
func (b *Bus) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.net.mu.Lock()
	if b.down {
		b.net.mu.Unlock()
		return port.ErrUnavailable
	}
	done := make(chan error, 1)
	b.enqueue(func() { done <- nil }, func() { done <- port.ErrUnavailable })
	b.net.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Request sends m on a lane and waits for the first answer.
func (b *Bus) Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error) {
	if err := ctx.Err(); err != nil {
		return port.Message{}, ended(err)
	}
	ch := make(chan answer, 1)
	reply, err := b.ask(lane, m, func(a answer) { ch <- a }, 0)
	if err != nil {
		return port.Message{}, err
	}
	select {
	case a := <-ch:
		return a.m, a.err
	case <-ctx.Done():
	}
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	delete(b.net.waiting, reply)
	select {
	case a := <-ch:
		return a.m, a.err
	default:
		return port.Message{}, ended(ctx.Err())
	}
}

// NextRequest returns a number for one request by Start.
func (b *Bus) NextRequest(port.Lane) uint64 {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.net.requests++
	return b.net.requests
}

// Start sends m on a lane and does not wait: done is called exactly once with the first answer, an error of Request, or
// context.Canceled after Cancel, on a goroutine of its own, unless Start returns an error.
func (b *Bus) Start(lane port.Lane, id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error {
	reply, err := b.ask(lane, m, func(a answer) {
		delete(b.net.started, id)
		go done(a.m, a.err)
	}, id)
	if err != nil {
		return err
	}
	time.AfterFunc(time.Until(deadline), func() {
		b.net.mu.Lock()
		defer b.net.mu.Unlock()
		b.net.fail(reply, port.ErrTimeout)
	})
	return nil
}

// Cancel ends a request by Start; a late answer is dropped.
func (b *Bus) Cancel(_ port.Lane, id uint64) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.net.fail(b.net.started[id], context.Canceled)
}

// ask sends a request whose one answer take gets with net.mu held. With a number it is one by Start.
func (b *Bus) ask(lane port.Lane, m port.Message, take func(answer), id uint64) (reply string, err error) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	if err := b.check(m); err != nil {
		return "", err
	}
	m = own(m)
	m.Reply = b.net.newInbox(b, take)
	if id != 0 {
		b.net.started[id] = m.Reply
	}
	if b.drop == nil || !b.drop(m) {
		b.sendRequest(lane, m)
	}
	return m.Reply, nil
}

// sendRequest puts a request on its way. The caller holds net.mu.
func (b *Bus) sendRequest(lane port.Lane, m port.Message) {
	send := func() {
		if b.net.route(b, lane, m) == 0 {
			b.net.fail(m.Reply, port.ErrNoResponders)
		}
	}
	if lane == port.LaneOrdered || b.wire.stalled {
		b.enqueue(send, nil)
		return
	}
	if b.wire.delay == 0 {
		send()
		return
	}
	time.AfterFunc(b.wire.delay, func() {
		b.net.mu.Lock()
		defer b.net.mu.Unlock()
		if !b.down {
			send()
		}
	})
}

// fail ends the request that waits at a reply subject. The caller holds mu.
func (n *Network) fail(reply string, err error) {
	if w := n.waiting[reply]; w != nil {
		delete(n.waiting, reply)
		w.take(answer{err: err})
	}
}

// Intake subscribes to all subjects on the ordered lane. Unless nil, quick may take a message instead of handle.
func (b *Bus) Intake(subjects []string, quick func(port.Message) bool, handle func(port.Message)) (stop func(), err error) {
	if quick == nil {
		return b.take(port.LaneOrdered, subjects, "", handle)
	}
	return b.take(port.LaneOrdered, subjects, "", func(m port.Message) {
		if !quick(m) {
			handle(m)
		}
	})
}

// Serve takes requests of a subject as a member of a queue group.
func (b *Bus) Serve(subject, queue string, handle func(port.Message)) (stop func(), err error) {
	return b.take(port.LaneCalls, []string{subject}, queue, handle)
}

func (b *Bus) take(lane port.Lane, subjects []string, queue string, handle func(port.Message)) (func(), error) {
	in := &intake{handle: handle, gap: b.tellGap, limit: intakeBytes}
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	for _, s := range subjects {
		if strings.ContainsAny(s, " \t\r\n") || slices.Contains(strings.Split(s, "."), "") {
			return nil, fmt.Errorf("%w %q", errSubject, s)
		}
	}
	for _, s := range subjects {
		b.net.subs = append(b.net.subs, &subscription{bus: b, lane: lane, pattern: s, queue: queue, in: in})
	}
	return sync.OnceFunc(func() {
		b.net.mu.Lock()
		b.net.subs = slices.DeleteFunc(b.net.subs, func(s *subscription) bool { return s.in == in })
		b.net.mu.Unlock()
		in.stop()
	}), nil
}

// ended gives the end of a context its meaning at the joint: a deadline is port.ErrTimeout too.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", port.ErrTimeout, err)
	}
	return err
}

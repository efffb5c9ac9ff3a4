package broker

import (
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of one intake.
const (
	intakeChan      = 8192     // messages that the client library may put down before the pump takes them
	intakeBytes     = 64 << 20 // that wait for the handler
	intakeCount     = 1 << 20  // messages that wait for it
	messageOverhead = 256      // bytes counted for each besides its subject and body
)

// intake is one ordered queue of messages from any number of subjects. Channel subscriptions know no bound in bytes,
// and separate callbacks would lose the order between subjects: hence one channel, a pump that empties it at once, and
// a queue of our own with both bounds.
type intake struct {
	handle func(port.Message)
	gap    func(reason string)
	m      *metrics
	limit  int64 // bytes; a field so that tests can lower it

	ch   chan *nats.Msg
	done chan struct{}
	end  sync.Once     // closes done
	wake chan struct{} // holds one token while the queue may be non-empty
	wg   sync.WaitGroup
	subs []*subscription

	bytes atomic.Int64 // in the queue or in handle
	count atomic.Int64

	mu    sync.Mutex // guards the following
	queue []*nats.Msg
	full  bool // dropping since the last message that was taken
}

func newIntake(handle func(port.Message), gap func(string), m *metrics) *intake {
	return &intake{
		handle: handle, gap: gap, m: m, limit: intakeBytes,
		ch:   make(chan *nats.Msg, intakeChan),
		done: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
}

func (in *intake) start() {
	in.wg.Go(in.pump)
	in.wg.Go(in.deliver)
}

func (in *intake) subscribe(l *link, subject, queue string) error {
	s := &subscription{subject: subject, queue: queue, ch: in.ch, permanent: true}
	if err := l.subscribe(s); err != nil {
		return err
	}
	in.subs = append(in.subs, s)
	return nil
}

// stop ends the subscriptions and returns when handle runs no more. It may be called more than once.
func (in *intake) stop() {
	for _, s := range in.subs {
		s.cancel()
	}
	in.end.Do(func() { close(in.done) })
	in.wg.Wait()
}

// pump moves messages from the library's channel into the queue, all that have come at a time.
func (in *intake) pump() {
	var batch []*nats.Msg
	for {
		select {
		case m := <-in.ch:
			batch = append(batch[:0], m)
		case <-in.done:
			return
		}
		for range len(in.ch) {
			batch = append(batch, <-in.ch)
		}
		in.put(batch)
		clear(batch)
		if cap(batch) > intakeChan/8 {
			batch = nil // a burst's big slice is not kept for ever
		}
	}
}

func size(m *nats.Msg) int64 { return int64(len(m.Data)+len(m.Subject)) + messageOverhead }

// put queues messages. Those beyond a bound are dropped, and it says so once per spell of dropping.
func (in *intake) put(batch []*nats.Msg) {
	lost := false
	in.mu.Lock()
	for _, m := range batch {
		n := size(m)
		if in.bytes.Load()+n > in.limit || in.count.Load() >= intakeCount {
			lost = lost || !in.full
			in.full = true
			in.m.dropped.Inc()
			continue
		}
		in.full = false
		in.bytes.Add(n)
		in.count.Add(1)
		in.queue = append(in.queue, m)
	}
	in.mu.Unlock()
	if lost {
		in.gap(gapOverflow)
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// deliver hands messages to handle, all that wait at a time.
func (in *intake) deliver() {
	var batch []*nats.Msg
	for {
		select {
		case <-in.wake:
		case <-in.done:
			return
		}
		in.mu.Lock()
		batch, in.queue = in.queue, batch[:0]
		in.mu.Unlock()
		for i, m := range batch {
			select {
			case <-in.done:
				return
			default:
			}
			in.handle(message(m))
			in.bytes.Add(-size(m))
			in.count.Add(-1)
			batch[i] = nil
		}
		if cap(batch) > intakeChan {
			batch = nil // a burst's big slice is not kept for ever
		}
	}
}

// message turns the library's form into ours; nothing is copied.
func message(m *nats.Msg) port.Message {
	return port.Message{Subject: m.Subject, Reply: m.Reply, Header: port.Header(m.Header), Data: m.Data}
}

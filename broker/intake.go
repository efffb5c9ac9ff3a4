package broker

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of one intake.
const (
	intakeChan      = 8192     // messages that the client library may put down while one is handled
	intakeBytes     = 64 << 20 // that wait in the queue
	intakeCount     = 1 << 20  // messages that wait in it
	messageOverhead = 256      // bytes counted for each besides its subject and body

	pollTime = time.Millisecond // that the reading goroutine gives to messages at a time
)

// intake is one ordered stream of messages from any number of subjects. Channel subscriptions know no bound in bytes, and
// separate callbacks would lose the order between subjects: hence one channel for all.
//
// What the channel holds is taken out by the goroutine that has put it there (poll), as long as quick accepts it and it is
// quick: to wake another costs more than most messages. What is left goes, with everything that comes behind it, to a
// goroutine of the intake, until that has emptied the channel. Only when the channel is half full does what is in it move to
// a queue of our own, which has a bound in bytes.
type intake struct {
	quick  func(port.Message) bool // nil: the intake's goroutine does it all
	handle func(port.Message)
	gap    func(reason string)
	m      *metrics
	limit  int64 // bytes; fields so that tests can lower them
	fill   int   // messages in the channel from which on they move to the queue

	ch   chan *nats.Msg
	wake chan struct{} // holds one token when busy has become true
	done chan struct{}
	end  sync.Once // closes done
	wg   sync.WaitGroup
	subs []*subscription

	mu   sync.Mutex // guards busy; held by poll while quick runs
	busy bool       // what comes is for the intake's goroutine

	// The following belong to the intake's goroutine, or while not busy to whoever holds mu.
	queue []*nats.Msg // what waits, before all that is in ch
	at    int         // the first of them
	bytes int64       // of them
	full  bool        // dropping since the last message that was taken
}

// newIntake makes an intake; with quick nil, nobody need call poll.
func newIntake(quick func(port.Message) bool, handle func(port.Message), gap func(string), m *metrics) *intake {
	return &intake{
		quick: quick, handle: handle, gap: gap, m: m, limit: intakeBytes, fill: intakeChan / 2,
		ch:   make(chan *nats.Msg, intakeChan),
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
		busy: quick == nil,
	}
}

func (in *intake) start() {
	if in.quick == nil {
		in.wg.Go(in.deliverAll)
		return
	}
	in.wg.Go(in.deliverRest)
}

func (in *intake) subscribe(l *link, subject, queue string) error {
	s := &subscription{subject: subject, queue: queue, ch: in.ch, permanent: true}
	if err := l.subscribe(s); err != nil {
		return err
	}
	in.subs = append(in.subs, s)
	return nil
}

// stop ends the subscriptions and returns when quick and handle run no more. It may be called more than once.
func (in *intake) stop() {
	for _, s := range in.subs {
		s.cancel()
	}
	in.end.Do(func() { close(in.done) })
	in.wg.Wait()
	in.mu.Lock() // poll may be at work
	defer in.mu.Unlock()
}

func (in *intake) ended() bool {
	select {
	case <-in.done:
		return true
	default:
		return false
	}
}

// poll handles what the channel holds. It is called by the goroutine that reads from NATS, whenever that has put down
// everything it had read and before it waits for more.
func (in *intake) poll() {
	if len(in.ch) == 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busy || in.ended() {
		return
	}
	started := time.Now()
	for len(in.ch) > 0 {
		m := <-in.ch
		if !in.quick(message(m)) {
			in.put(m)
			in.handOver()
			return
		}
		if time.Since(started) > pollTime {
			in.handOver()
			return
		}
	}
}

// handOver leaves what comes to the intake's goroutine. The caller holds mu.
func (in *intake) handOver() {
	in.busy = true
	in.wake <- struct{}{}
}

// deliverRest hands over what poll has left, each time until nothing is left.
func (in *intake) deliverRest() {
	for {
		select {
		case <-in.wake:
		case <-in.done:
			return
		}
		for m := in.next(); m != nil; m = in.next() {
			in.hand(m)
		}
	}
}

// deliverAll hands over every message.
func (in *intake) deliverAll() {
	for {
		for m := in.next(); m != nil; m = in.next() {
			in.hand(m)
		}
		select {
		case m := <-in.ch:
			in.hand(m)
		case <-in.done:
			return
		}
	}
}

func (in *intake) hand(m *nats.Msg) {
	msg := message(m)
	if in.quick == nil || !in.quick(msg) {
		in.handle(msg)
	}
}

// next takes a message without waiting. Nil: there is none, and what comes is poll's, or the intake has ended.
func (in *intake) next() *nats.Msg {
	if in.ended() {
		return nil
	}
	n := len(in.ch)
	if n >= in.fill {
		in.move(n)
	}
	switch {
	case in.at < len(in.queue):
		return in.take()
	case n > 0:
		return <-in.ch // nobody else takes from it
	case in.quick == nil:
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.ch) > 0 {
		return <-in.ch
	}
	// Who puts down a message from now on calls poll after it, which finds that it is free to handle it.
	in.busy = false
	return nil
}

// take removes the first message of the queue, which has one.
func (in *intake) take() *nats.Msg {
	m := in.queue[in.at]
	in.queue[in.at] = nil
	in.at++
	in.bytes -= size(m)
	if in.at == len(in.queue) {
		// A burst's big slice is not kept for ever.
		in.queue, in.at = nil, 0
	}
	return m
}

func size(m *nats.Msg) int64 { return int64(len(m.Data)+len(m.Subject)) + messageOverhead }

// move takes n messages out of the channel into the queue. Those beyond a bound are dropped, and it says so once per spell
// of dropping.
func (in *intake) move(n int) {
	if in.at > len(in.queue)/2 {
		left := copy(in.queue, in.queue[in.at:])
		clear(in.queue[left:])
		in.queue, in.at = in.queue[:left], 0
	}
	lost := false
	for range n {
		m := <-in.ch
		if in.bytes+size(m) > in.limit || len(in.queue)-in.at >= intakeCount {
			lost = lost || !in.full
			in.full = true
			in.m.dropped.Inc()
			continue
		}
		in.full = false
		in.put(m)
	}
	if lost {
		in.gap(gapOverflow)
	}
}

func (in *intake) put(m *nats.Msg) {
	in.bytes += size(m)
	in.queue = append(in.queue, m)
}

// message turns the library's form into ours; nothing is copied.
func message(m *nats.Msg) port.Message {
	return port.Message{Subject: m.Subject, Reply: m.Reply, Header: port.Header(m.Header), Data: m.Data}
}

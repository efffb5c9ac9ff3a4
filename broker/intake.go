package broker

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of one intake.
const (
	intakeChan      = 8192     // messages that the client library may put down between two reads
	intakeBytes     = 64 << 20 // that wait in the queue
	intakeCount     = 1 << 20  // messages that wait in it
	messageOverhead = 256      // bytes counted for each besides its subject and body

	pollTime = time.Millisecond // that the reading goroutine gives to quick at a time
)

// intake is one ordered stream of messages from any number of subjects. Channel subscriptions know no bound in bytes, and
// separate callbacks would lose the order between subjects: hence one channel for all.
//
// The goroutine that reads from NATS puts messages down there, and takes them out again before it reads more (poll). It
// hands them to quick itself, because to wake another goroutine costs more than most messages. What quick refuses or has
// no time for goes, with everything that comes behind it, into a queue with two bounds for a goroutine of the intake, until
// that has caught up.
type intake struct {
	quick  func(port.Message) bool // nil: it refuses all
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

	polling sync.Mutex // held by poll and for a sieve's turn: of two connections at a change only one reads; guards refused
	refused bool       // quick has refused the next message already

	heads  []string    // what its subjects begin with, up to the first wildcard; set before the tap knows the intake, as roots
	roots  []string    // those of them that a sieve asks quick about
	shared atomic.Bool // another intake of the link has, or had, some of its subjects, so a sieve cannot tell whose a message is
	bytes  atomic.Int64
	count  atomic.Int64

	mu    sync.Mutex // guards the following
	queue []*nats.Msg
	busy  bool // what comes goes into the queue: something is there, or being handled
	full  bool // dropping since the last message that was taken
}

// newIntake makes an intake; quick may be nil.
func newIntake(quick func(port.Message) bool, handle func(port.Message), gap func(string), m *metrics) *intake {
	return &intake{
		quick: quick, handle: handle, gap: gap, m: m, limit: intakeBytes,
		ch:   make(chan *nats.Msg, intakeChan),
		done: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
}

func (in *intake) start() { in.wg.Go(in.deliver) }

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
	in.polling.Lock()
	defer in.polling.Unlock()
}

func (in *intake) ended() bool {
	select {
	case <-in.done:
		return true
	default:
		return false
	}
}

// poll empties the channel. It is called by the goroutine that reads from NATS, whenever that has put down everything it
// had read and before it waits for more.
func (in *intake) poll() {
	if len(in.ch) == 0 {
		return
	}
	in.polling.Lock()
	defer in.polling.Unlock()
	if in.ended() {
		return
	}
	if m := in.pollQuick(); m != nil {
		in.put(m)
	}
}

// pollQuick handles what quick accepts, for a while. It returns the first message that is for the queue; nil: there is none.
func (in *intake) pollQuick() *nats.Msg {
	quick := in.quick != nil && !in.refused && in.idle()
	in.refused = false
	start := time.Now()
	for len(in.ch) > 0 {
		m := <-in.ch
		if !quick || !in.quick(message(m)) {
			return m
		}
		quick = time.Since(start) < pollTime
	}
	return nil
}

// listenTo says what the subjects are. A sieve may ask quick about those below a wildcard.
func (in *intake) listenTo(subjects []string) {
	for _, s := range subjects {
		at := strings.IndexAny(s, "*>")
		if at < 0 {
			in.heads = append(in.heads, s)
			continue
		}
		in.heads = append(in.heads, s[:at])
		if in.quick != nil && s[at:] == ">" {
			in.roots = append(in.roots, s[:at])
		}
	}
}

// overlaps tells whether a message may be for both; it may say so when none is.
func (in *intake) overlaps(other *intake) bool {
	for _, a := range in.heads {
		for _, b := range other.heads {
			if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
				return true
			}
		}
	}
	return false
}

// hears tells whether the messages of a subject may be for quick.
func (in *intake) hears(subject []byte) bool {
	if in.shared.Load() {
		return false
	}
	for _, root := range in.roots {
		if len(subject) > len(root) && string(subject[:len(root)]) == root {
			return true
		}
	}
	return false
}

// ready tells whether quick may be asked about a message that is not in the channel. The caller holds polling and has
// polled, so a message that was refused and is not there will not come: its subscription is gone.
func (in *intake) ready() bool {
	if len(in.ch) > 0 {
		return false
	}
	in.refused = false
	return !in.ended() && in.idle()
}

// idle tells whether deliver has nothing to do. It stays so as long as the caller holds polling.
func (in *intake) idle() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.busy
}

func size(m *nats.Msg) int64 { return int64(len(m.Data)+len(m.Subject)) + messageOverhead }

// put queues a message and all that are in the channel. Those beyond a bound are dropped, and it says so once per spell of
// dropping.
func (in *intake) put(m *nats.Msg) {
	lost := false
	in.mu.Lock()
	for {
		if n := size(m); in.bytes.Load()+n > in.limit || in.count.Load() >= intakeCount {
			lost = lost || !in.full
			in.full = true
			in.m.dropped.Inc()
		} else {
			in.full = false
			in.bytes.Add(n)
			in.count.Add(1)
			in.queue = append(in.queue, m)
			in.busy = true
		}
		if len(in.ch) == 0 {
			break
		}
		m = <-in.ch
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

// deliver hands the messages of the queue to handle.
func (in *intake) deliver() {
	var batch []*nats.Msg
	for {
		select {
		case <-in.wake:
		case <-in.done:
			return
		}
		for batch = in.take(batch); len(batch) > 0; batch = in.take(batch) {
			for i, m := range batch {
				if in.ended() {
					return
				}
				in.handle(message(m))
				in.bytes.Add(-size(m))
				in.count.Add(-1)
				batch[i] = nil
			}
		}
	}
}

// take returns what is queued and gives the memory of the last batch to the queue. When there is nothing, what comes is
// quick's again.
func (in *intake) take(last []*nats.Msg) []*nats.Msg {
	if cap(last) > intakeChan {
		last = nil // a burst's big slice is not kept for ever
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	batch := in.queue
	in.queue = last[:0]
	in.busy = len(batch) > 0
	return batch
}

// message turns the library's form into ours; nothing is copied.
func message(m *nats.Msg) port.Message {
	return port.Message{Subject: m.Subject, Reply: m.Reply, Header: port.Header(m.Header), Data: m.Data}
}

package memory

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// DefaultMaxPayload is the largest message, in bytes, unless NewNetwork is told otherwise.
const DefaultMaxPayload = 10<<20 + 64<<10

// Network is what the nodes share, in the place of the NATS servers. All methods may be called concurrently.
type Network struct {
	maxPayload int64

	mu       sync.Mutex // guards the following and all state of the nodes
	subs     []*subscription
	waiting  map[string]*waiter // by reply subject
	started  map[uint64]string  // reply subjects of the requests by Start, by their number
	inboxes  uint64
	requests uint64
	turn     uint64 // of queue groups
	buckets  map[string]*bucket
}

// subscription is one interest of one node.
type subscription struct {
	bus     *Bus
	lane    port.Lane
	pattern string
	queue   string
	in      *intake
}

// waiter is one request under way. It takes exactly one value, from whoever removed it from Network.waiting, or with
// many all that come until then.
type waiter struct {
	bus  *Bus
	many bool
	take func(answer) // called with Network.mu held
}

type answer struct {
	m   port.Message
	err error
}

// NewNetwork returns a network without nodes; maxPayload bounds a message's Data, in bytes, 0 means DefaultMaxPayload.
func NewNetwork(maxPayload int64) *Network {
	if maxPayload <= 0 {
		maxPayload = DefaultMaxPayload
	}
	return &Network{maxPayload: maxPayload, waiting: map[string]*waiter{}, started: map[uint64]string{}}
}

// Join adds a node. It has no goroutines while nothing is under way, and need not be closed.
func (n *Network) Join() *Bus { return &Bus{net: n, gap: func(string) {}} }

// route hands m to all who want it and tells how many got it. The caller holds mu.
func (n *Network) route(from *Bus, lane port.Lane, m port.Message) int {
	if w := n.waiting[m.Subject]; w != nil {
		if w.bus.down {
			return 0
		}
		if !w.many {
			delete(n.waiting, m.Subject)
		}
		w.take(answer{m: m})
		return 1
	}
	got := 0
	groups := map[string][]*subscription{}
	for _, s := range n.subs {
		// A node does not hear on its ordered lane what it sends there.
		echo := s.bus == from && s.lane == port.LaneOrdered && lane == port.LaneOrdered
		if s.bus.down || echo || !match(s.pattern, m.Subject) {
			continue
		}
		if s.queue != "" {
			groups[s.queue] = append(groups[s.queue], s)
			continue
		}
		s.in.put(m)
		got++
	}
	for _, members := range groups {
		n.turn++
		members[n.turn%uint64(len(members))].in.put(m)
		got++
	}
	return got
}

// newInbox registers a request of a node. The caller holds mu.
func (n *Network) newInbox(b *Bus, take func(answer)) string {
	n.inboxes++
	subject := "_INBOX_memory." + strconv.FormatUint(n.inboxes, 10)
	n.waiting[subject] = &waiter{bus: b, take: take}
	return subject
}

// match tells whether a subject fits a pattern with the wildcards * and >.
func match(pattern, subject string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		switch {
		case p == ">" && !moreP:
			return true
		case p != "*" && p != s:
			return false
		case !moreP || !moreS:
			return moreP == moreS
		}
		pattern, subject = restP, restS
	}
}

// wire is a node's way to the network on the ordered lane: what is sent while it is slow or stalled waits here in its
// order. Guarded by Network.mu.
type wire struct {
	items   []item
	running bool
	stalled bool
	delay   time.Duration
	resume  chan struct{} // closed when a stall ends
}

type item struct {
	due  time.Time
	send func() // called with Network.mu held
	lost func() // instead of send, when the node is cut off before
}

package gateway

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
)

// topics is the index from topic to this node's subscribers.
//
// A shard's lock guards its map only, a topic's lock its subscribers; they are never held together. A topic that has
// lost its last subscriber is dead and leaves the map; who finds a dead one looks again.
type topics struct {
	seed   maphash.Seed
	shards [topicShards]struct {
		mu sync.RWMutex
		m  map[names.Topic]*topic
	}
	metrics *Metrics
}

const topicShards = 64

type topic struct {
	name names.Topic

	mu   sync.Mutex // guards all below
	subs []subscriber
	dead bool
}

// subscriber is one entry of a topic's list. The connection stands in it so that a fan-out walks one array.
type subscriber struct {
	conn *conn
	sub  *subscription
}

// subscription is a connection's end of an entry: at is the entry's place in the topic's list, guarded by its lock.
type subscription struct {
	topic *topic
	at    int
}

func newTopics(m *Metrics) *topics {
	t := &topics{seed: maphash.MakeSeed(), metrics: m}
	for i := range t.shards {
		t.shards[i].m = make(map[names.Topic]*topic)
	}
	return t
}

// find returns a topic, making it when create is set; nil when there is none.
func (x *topics) find(name names.Topic, create bool) *topic {
	s := &x.shards[maphash.String(x.seed, string(name))%topicShards]
	s.mu.RLock()
	t := s.m[name]
	s.mu.RUnlock()
	if t != nil || !create {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t = s.m[name]; t == nil {
		// The name may be a piece of a whole request line.
		t = &topic{name: names.Topic(strings.Clone(string(name)))}
		s.m[t.name] = t
		x.metrics.topics.Add(1)
	}
	return t
}

// add subscribes c, which is not subscribed yet.
func (x *topics) add(name names.Topic, c *conn) *subscription {
	for {
		t := x.find(name, true)
		t.mu.Lock()
		if t.dead {
			t.mu.Unlock()
			x.forget(t)
			continue
		}
		sub := &subscription{topic: t, at: len(t.subs)}
		t.subs = append(t.subs, subscriber{c, sub})
		t.mu.Unlock()
		return sub
	}
}

// remove ends a subscription.
func (x *topics) remove(sub *subscription) {
	t := sub.topic
	t.mu.Lock()
	last := len(t.subs) - 1
	moved := t.subs[last]
	t.subs[sub.at] = moved
	moved.sub.at = sub.at
	t.subs[last] = subscriber{}
	t.subs = t.subs[:last]
	if cap(t.subs) > 64 && last < cap(t.subs)/4 {
		t.subs = append(make([]subscriber, 0, 2*last), t.subs...)
	}
	t.dead = last == 0
	dead := t.dead
	t.mu.Unlock()
	if dead {
		x.forget(t)
	}
}

// forget takes a dead topic out of the map.
func (x *topics) forget(t *topic) {
	s := &x.shards[maphash.String(x.seed, string(t.name))%topicShards]
	s.mu.Lock()
	if s.m[t.name] == t {
		delete(s.m, t.name)
		x.metrics.topics.Add(-1)
	}
	s.mu.Unlock()
}

// push queues a frame for every subscriber. The frame is made only when there is one. The topic's lock is held all
// along, so that all subscribers see a topic's messages in the same order; queuing does no I/O.
func (x *topics) push(name names.Topic, frame func() ws.Frame) {
	t := x.find(name, false)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x.metrics.pubOut.Add(t.send(frame))
}

// pushFew is push for a topic with few subscribers. It neither waits nor takes long; false: nothing was done.
func (x *topics) pushFew(t *topic, frame func() ws.Frame) bool {
	if !t.mu.TryLock() {
		return false
	}
	defer t.mu.Unlock()
	if len(t.subs) > quickSubscribers {
		return false
	}
	x.metrics.pubOut.Add(t.send(frame))
	return true
}

// send queues a frame and returns the number of subscribers. The caller holds mu.
func (t *topic) send(frame func() ws.Frame) int64 {
	if len(t.subs) > 0 {
		f := frame()
		for i := range t.subs {
			t.subs[i].conn.send(f)
		}
	}
	return int64(len(t.subs))
}

package gateway

import "github.com/swindon-go/swindon/gateway/backend"

// Begin notes a call over NATS before it is sent, so that it ends with its client.
func (k *call) Begin(f backend.Flight) {
	c := k.conn
	c.mu.Lock()
	watched := c.watched
	c.watched = true
	k.flight, k.flying = f, true
	if k.next = c.flying; k.next != nil {
		k.next.prev = k
	}
	c.flying = k
	c.mu.Unlock()
	if !watched {
		whenDone(c.ws.Context(), c.abandon)
	}
}

// landed takes a call out of those under way over NATS.
func (c *conn) landed(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.prev == nil {
		c.flying = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.prev, k.next, k.flying = nil, nil, false
}

// abandon gives up the calls over NATS of a client that has left, so that their places in max-in-flight are free: else
// clients that call a silent backend and leave could take them all.
func (c *conn) abandon() {
	c.mu.Lock()
	var flights []backend.Flight
	for k := c.flying; k != nil; k = k.next {
		flights = append(flights, k.flight)
	}
	c.mu.Unlock()
	for _, f := range flights {
		f.Cancel()
	}
}

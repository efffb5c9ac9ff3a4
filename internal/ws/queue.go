package ws

import "sync"

// queue holds the connections whose outboxes have become non-empty, in that order, and the goroutines that empty them.
// A flusher is started when something is pushed and ends when the queue is empty. A connection stands in the queue once
// at most and stays with its flusher while it is being written.
type queue struct {
	max int // flushers at once

	mu      sync.Mutex // protects the following; innermost
	dirty   []*Conn    // from head on
	head    int
	running int
}

// push puts a connection at the end. It must not stand in the queue already.
func (q *queue) push(c *Conn) {
	q.mu.Lock()
	q.dirty = append(q.dirty, c)
	start := q.running < q.max
	if start {
		q.running++
	}
	q.mu.Unlock()
	if start {
		go c.group.flusher().run()
	}
}

// pop takes the connection that has waited longest, or ends the calling flusher when there is none.
func (q *queue) pop() *Conn {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.dirty) {
		q.dirty, q.head = q.dirty[:0], 0
		if cap(q.dirty) > keptConns {
			q.dirty = nil
		}
		q.running--
		return nil
	}
	c := q.dirty[q.head]
	q.dirty[q.head] = nil
	q.head++
	if q.head >= 64 && q.head*2 >= len(q.dirty) {
		n := copy(q.dirty, q.dirty[q.head:])
		clear(q.dirty[n:])
		q.dirty, q.head = q.dirty[:n], 0
	}
	return c
}

// keptConns bounds the capacity that an empty queue keeps.
const keptConns = 16 << 10

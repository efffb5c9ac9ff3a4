package proxy

import "time"

// list is a doubly linked list of connections through their own links. A connection is in one list at most.
type list struct{ first, last *conn }

func (l *list) push(c *conn) {
	c.prev, c.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
}

func (l *list) remove(c *conn) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// waiter is a request that waits for a connection or for leave to open one.
type waiter struct {
	seq uint64
	// granted: got is set and ready has been signalled, or tell is going to be called.
	granted bool
	got     grant
	ready   chan struct{}
	// tell is called instead when the request has no goroutine that waits, leave for it when it is given up; queue, set
	// when it is in one, ends its waiting at deadline. Guarded by Destination.mu.
	tell     func()
	d        *Destination
	queue    *queue
	deadline time.Time

	prev, next *waiter
}

// grant is what a request gets: a connection, or leave to open one to a backend (it is counted already), or an error.
type grant struct {
	conn    *conn
	backend *backend
	err     error
}

// queue is a list of waiters by the order in which they arrived.
type queue struct {
	first, last *waiter
	len         int
}

// insert puts w where its arrival belongs: normally at the end, at the front when it has been served before in vain.
func (q *queue) insert(w *waiter) {
	after := q.last
	if q.first != nil && w.seq < q.first.seq {
		after = nil
	}
	for after != nil && after.seq > w.seq {
		after = after.prev
	}
	w.prev = after
	if after == nil {
		w.next, q.first = q.first, w
	} else {
		w.next, after.next = after.next, w
	}
	if w.next == nil {
		q.last = w
	} else {
		w.next.prev = w
	}
	q.len++
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	q.len--
}

func (q *queue) pop() *waiter {
	w := q.first
	if w != nil {
		q.remove(w)
	}
	return w
}

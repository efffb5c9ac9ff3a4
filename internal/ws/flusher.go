package ws

import "runtime"

// flusher writes outboxes, one after the other, each in one system call that never blocks. What the network does not
// take at once goes on in a goroutine of its own (drain), so that a slow client delays nobody.
type flusher struct {
	group *Group
	buf   *writeBuffer

	// of the write under way, which runs as a callback of the socket
	data []byte
	n    int
	err  error
	call func(fd uintptr) bool
}

// flusher returns a flusher that is to be run.
func (g *Group) flusher() *flusher {
	if f, ok := g.flusherPool.Get().(*flusher); ok {
		return f
	}
	f := &flusher{group: g}
	f.call = f.writeOnce
	return f
}

// run empties outboxes until the queue is empty.
func (f *flusher) run() {
	// Those who are about to send more go first: what they send leaves in the same write.
	runtime.Gosched()
	q := &f.group.flushers
	f.buf = f.group.getWriteBuffer()
	for c := q.pop(); c != nil; c = q.pop() {
		f.flush(c)
	}
	f.group.putWriteBuffer(f.buf)
	f.buf = nil
	f.group.flusherPool.Put(f)
}

// flush writes what waits in a connection's outbox and puts the connection back into the queue when more has come
// meanwhile.
func (f *flusher) flush(c *Conn) {
	b := c.take()
	if b == nil {
		return
	}
	size := 0
	for _, fr := range b.frames {
		size += len(fr.wire)
	}
	if c.raw == nil || size > len(f.buf) {
		go c.drain(b, 0)
		return
	}
	p := f.buf[:0]
	for _, fr := range b.frames {
		p = append(p, fr.wire...)
	}
	n, err := f.write(c, p)
	switch {
	case err != nil:
		f.group.putBatch(b)
		c.lost()
	case n < size:
		c.note(n, 0)
		go c.drain(b, n)
	default:
		count := len(b.frames)
		f.group.putBatch(b)
		c.note(size, count)
		if c.wrote(size, count) {
			f.group.flushers.push(c)
		}
	}
}

// write tries to write p once. It returns how much the network has taken, 0 when nothing.
func (f *flusher) write(c *Conn, p []byte) (int, error) {
	f.data, f.n, f.err = p, 0, nil
	err := c.raw.Write(f.call)
	f.data = nil
	if err == nil {
		err = f.err
	}
	return f.n, err
}

// note counts one write.
func (c *Conn) note(bytes, frames int) {
	k := c.opts.Counters
	k.Writes.Add(1)
	k.BytesOut.Add(uint64(bytes))   //nolint:gosec // Never negative.
	k.FramesOut.Add(uint64(frames)) //nolint:gosec // Never negative.
}

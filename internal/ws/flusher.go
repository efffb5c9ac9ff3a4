package ws

import "runtime"

// flusher writes outboxes, one after the other, each in one system call that never waits. What the network does not take
// at once goes on in a goroutine of its own (drain), so that a slow client delays nobody.
type flusher struct {
	group *Group
	buf   *writeBuffer
	chunk chunk // of the write under way, which runs as a callback of the socket

	n    int   // bytes that the network took
	err  error // why it took none
	call func(fd uintptr) bool
}

// flusher returns a flusher, which is to be released.
func (g *Group) flusher() *flusher {
	f, ok := g.flusherPool.Get().(*flusher)
	if !ok {
		f = &flusher{group: g}
		f.call = f.writeOnce
	}
	f.buf = g.getWriteBuffer()
	return f
}

func (f *flusher) release() {
	f.group.putWriteBuffer(f.buf)
	f.buf = nil
	f.group.flusherPool.Put(f)
}

// run empties outboxes until the queue is empty.
func (f *flusher) run() {
	// Those who are about to send more go first: what they send leaves in the same write.
	runtime.Gosched()
	q := &f.group.flushers
	for n, c := 1, q.pop(); c != nil; n, c = n+1, q.pop() {
		if b := c.claim(); b != nil {
			f.write(c, b)
		}
		if n%yieldAfter == 0 {
			runtime.Gosched()
		}
	}
	f.release()
}

// yieldAfter is how many connections a flusher writes, about 10 µs each, before it lets others run.
const yieldAfter = 32

// write writes a batch that the caller has taken from a connection's outbox, and gives up the right to write.
func (f *flusher) write(c *Conn, b *batch) {
	c.settle(b)
	if c.raw == nil {
		c.startDrain(b, 0, 0, load{})
		return
	}
	var done load
	for i := 0; i < len(b.frames); {
		f.chunk = nextChunk(b.frames[i:], 0, f.buf)
		n, err := f.try(c)
		switch {
		case err != nil:
			f.chunk = chunk{}
			f.group.putBatch(b)
			c.lost()
			return
		case n < f.chunk.size:
			f.chunk = chunk{}
			c.note(n, 0)
			c.startDrain(b, i, n, done)
			return
		}
		c.note(n, f.chunk.frames)
		done.add(n, f.chunk.frames)
		i += f.chunk.frames
	}
	f.chunk = chunk{}
	f.group.putBatch(b)
	c.wrote(done.bytes, done.frames)
}

// try writes the chunk once. It returns how much the network has taken, 0 when nothing.
func (f *flusher) try(c *Conn) (int, error) {
	f.n, f.err = 0, nil
	if err := c.raw.Write(f.call); err != nil {
		return 0, err
	}
	return f.n, f.err
}

// note counts one write.
func (c *Conn) note(bytes, frames int) {
	k := c.opts.Counters
	k.Writes.Add(1)
	k.BytesOut.Add(uint64(bytes))
	k.FramesOut.Add(uint64(frames))
}

// bigFrame is the size from which a frame is written from where it lies instead of being copied together with others.
const bigFrame = 16 << 10

// chunk is what one system call writes.
type chunk struct {
	small  []byte // small frames, copied together
	big    []byte // a big frame that follows them, if any
	size   int    // bytes of both
	frames int
}

// nextChunk makes a chunk of the first frames but their first skip bytes, in buf: as many small ones as it holds, and
// the big one behind them.
func nextChunk(frames []Frame, skip int, buf *writeBuffer) chunk {
	c := chunk{small: buf[:0]}
	for _, f := range frames {
		b := f.bytes()
		if n := min(skip, len(b)); n > 0 {
			b = b[n:]
			skip -= n
		}
		switch {
		case len(b) >= bigFrame:
			c.big = b
		case len(c.small)+len(b) > len(buf):
			return c
		default:
			c.small = append(c.small, b...)
		}
		c.frames++
		c.size += len(b)
		if c.big != nil {
			return c
		}
	}
	return c
}

package ws

import (
	"errors"
	"net"
	"time"
)

// bigFrame is the size from which a frame is written from where it lies instead of being copied together with others.
const bigFrame = 16 << 10

// drain writes with blocking calls, each bounded by the write timeout, until the outbox is empty: what the flusher has
// left of b, whose first skip bytes have gone, then what has come meanwhile. It owns the connection's place in the queue.
func (c *Conn) drain(b *batch, skip int) {
	c.mu.Lock()
	c.stalled = true
	c.mu.Unlock()
	buf := c.group.getWriteBuffer()
	defer c.group.putWriteBuffer(buf)
	for b != nil {
		ok := c.drainBatch(b, skip, buf)
		c.group.putBatch(b)
		if !ok {
			return
		}
		b, skip = c.take(), 0
	}
}

// drainBatch writes one batch in chunks: as many small frames as the buffer holds, and the big frame behind them. It
// returns false when the connection has left the queue.
func (c *Conn) drainBatch(b *batch, skip int, buf *writeBuffer) bool {
	frames := b.frames
	for len(frames) > 0 {
		head, n := buf[:0], 0
		for n < len(frames) && len(frames[n].wire) < bigFrame && len(head)+len(frames[n].wire) <= len(buf) {
			head = append(head, frames[n].wire...)
			n++
		}
		bufs := net.Buffers{head}
		size := len(head)
		if n < len(frames) && len(frames[n].wire) >= bigFrame {
			bufs = append(bufs, frames[n].bytes())
			size += len(frames[n].wire)
			n++
		}
		if err := c.writeAll(skipBytes(bufs, skip), n); err != nil {
			c.writeFailed(err)
			return false
		}
		skip = 0
		frames = frames[n:]
		if more := c.drained(size, n, frames); !more {
			return c.wrote(0, 0)
		}
	}
	return c.wrote(0, 0)
}

// drained notes that a chunk has left. It returns false when the rest of the batch, which is given, is not to be written
// because the connection closes as slow.
func (c *Conn) drained(bytes, count int, rest []Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outBytes -= bytes
	c.outCount -= int32(count) //nolint:gosec // It was counted up from an int32.
	if c.state == stateOpen || c.end == nil || c.end.Code != CodeSlow {
		return true
	}
	for _, f := range rest {
		c.outBytes -= len(f.wire)
		c.outCount--
	}
	return false
}

// writeAll writes buffers, in one system call if the network takes them at once. It goes on as long as the network takes
// something within the write timeout.
func (c *Conn) writeAll(bufs net.Buffers, frames int) error {
	for {
		_ = c.net.SetWriteDeadline(time.Now().Add(c.opts.WriteTimeout))
		n, err := bufs.WriteTo(c.net)
		if err == nil {
			c.note(int(n), frames)
			return c.net.SetWriteDeadline(time.Time{})
		}
		c.note(int(n), 0)
		var ne net.Error
		if n == 0 || !errors.As(err, &ne) || !ne.Timeout() {
			return err
		}
	}
}

// writeFailed ends the connection after a failed write: as slow if the network took nothing for too long.
func (c *Conn) writeFailed(err error) {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		c.mu.Lock()
		if c.state == stateOpen {
			c.end = &CloseError{Code: CodeSlow, Reason: "slow client"}
			c.opts.Counters.SlowCloses.Add(1)
		}
		c.mu.Unlock()
	}
	c.lost()
}

// skipBytes drops the first n bytes of buffers.
func skipBytes(bufs net.Buffers, n int) net.Buffers {
	for n > 0 {
		if n < len(bufs[0]) {
			bufs[0] = bufs[0][n:]
			break
		}
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if len(bufs) > 0 && len(bufs[0]) == 0 {
		bufs = bufs[1:]
	}
	return bufs
}

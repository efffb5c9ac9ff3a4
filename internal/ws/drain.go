package ws

import (
	"errors"
	"net"
	"time"
)

// startDrain lets a batch go on in a goroutine of its own: its frames from the i-th on, the first skip bytes of which
// have left. done is what has left besides.
func (c *Conn) startDrain(b *batch, i, skip int, done load) {
	c.mu.Lock()
	c.out.flight.add(-done.bytes, -done.frames)
	c.out.stalled = true
	c.mu.Unlock()
	go c.drain(b, i, skip)
}

// drain writes with blocking calls, each bounded by the write timeout, until the outbox is empty.
func (c *Conn) drain(b *batch, i, skip int) {
	buf := c.group.getWriteBuffer()
	defer c.group.putWriteBuffer(buf)
	for b != nil {
		err := c.drainBatch(b.frames[i:], skip, buf)
		c.group.putBatch(b)
		if err != nil {
			c.writeFailed(err)
			return
		}
		c.mu.Lock()
		b, i, skip = c.out.take(), 0, 0
		c.out.writing = true // until wrote
		c.mu.Unlock()
		c.settle(b)
	}
	c.wrote(0, 0)
}

// drainBatch writes frames without the first skip bytes. It leaves the rest, at a frame's end, when the connection
// closes as slow.
func (c *Conn) drainBatch(frames []Frame, skip int, buf *writeBuffer) error {
	for len(frames) > 0 {
		k := nextChunk(frames, skip, buf)
		bufs := net.Buffers{k.small, k.big}
		if len(k.big) == 0 {
			bufs = bufs[:1]
		} else if len(k.small) == 0 {
			bufs = bufs[1:]
		}
		if err := c.writeAll(bufs, k.frames); err != nil {
			return err
		}
		done := load{k.size + skip, k.frames}
		frames, skip = frames[k.frames:], 0
		c.mu.Lock()
		if c.end != nil && c.end.Code == CodeSlow {
			for _, f := range frames {
				done.add(len(f.wire), 1)
			}
			frames = nil
		}
		c.out.flight.add(-done.bytes, -done.frames)
		c.mu.Unlock()
	}
	return nil
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
		if n == 0 || !isTimeout(err) {
			return err
		}
	}
}

// writeFailed ends the connection after a failed write: as slow if the network took nothing for too long.
func (c *Conn) writeFailed(err error) {
	if isTimeout(err) {
		c.mu.Lock()
		if c.state == stateOpen {
			c.end = &CloseError{Code: CodeSlow, Reason: "slow client"}
			c.opts.Counters.SlowCloses.Add(1)
		}
		c.mu.Unlock()
	}
	c.lost()
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

package ws

// Release lets the outbox go: the 101 and everything sent since leave in one write. Without an Upgrade before it does
// nothing.
func (c *Conn) Release() {
	c.mu.Lock()
	if !c.upgraded {
		c.mu.Unlock()
		return
	}
	c.held = false
	c.kickFlush()
}

// Send appends a frame to the outbox and never blocks. When the outbox goes over its bounds the connection closes
// itself with 4013 and Send returns ErrSlow; once the connection closes for whatever reason, ErrClosed. A nil error is
// no promise that the frame arrives.
func (c *Conn) Send(f Frame) error {
	if len(f.wire) == 0 {
		return nil
	}
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	if int(c.outCount) >= c.opts.MaxOutFrames || c.outCount > 0 && c.outBytes+len(f.wire) > c.opts.MaxOutBytes {
		c.opts.Counters.SlowCloses.Add(1)
		c.dropQueued()
		c.closeLocked(&CloseError{Code: CodeSlow, Reason: "slow client"})
		return ErrSlow
	}
	c.append(f)
	c.kickFlush()
	return nil
}

// append adds a frame whatever the bounds. The caller holds mu.
func (c *Conn) append(f Frame) {
	if c.out == nil {
		c.out = c.group.getBatch()
	}
	c.out.frames = append(c.out.frames, f)
	c.outBytes += len(f.wire)
	c.outCount++
}

// kickFlush sees to it that a flusher comes when there is something to write. The caller holds mu, which is released.
func (c *Conn) kickFlush() {
	push := c.out != nil && !c.held && !c.queued && c.state != stateClosed
	if push {
		c.queued = true
	}
	c.mu.Unlock()
	if push {
		c.group.flushers.push(c)
	}
}

// dropQueued forgets what no flusher has taken yet. The caller holds mu. The 101, if it is among it, stays: without it
// the Close that follows would make no sense.
func (c *Conn) dropQueued() {
	if c.out == nil {
		return
	}
	keep := 0
	if c.held && c.upgraded {
		keep = 1
	}
	for _, f := range c.out.frames[keep:] {
		c.outBytes -= len(f.wire)
		c.outCount--
	}
	clear(c.out.frames[keep:])
	c.out.frames = c.out.frames[:keep]
	if keep == 0 {
		c.group.putBatch(c.out)
		c.out = nil
	}
}

// take gives the flusher everything that waits, nil when there is nothing: then the connection has left the queue.
func (c *Conn) take() *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.out
	c.out = nil
	if b == nil || c.state == stateClosed {
		c.group.putBatch(b)
		c.leaveQueue()
		return nil
	}
	return b
}

// wrote notes that frames have left. It returns whether more waits, which the caller must see to; otherwise the
// connection has left the queue.
func (c *Conn) wrote(bytes, frames int) bool {
	c.mu.Lock()
	c.outBytes -= bytes
	c.outCount -= int32(frames) //nolint:gosec // It was counted up from an int32.
	if c.out != nil && c.state != stateClosed {
		c.mu.Unlock()
		return true
	}
	c.leaveQueue()
	after := c.afterFlush()
	c.mu.Unlock()
	c.do(after)
	return false
}

// leaveQueue notes that no flusher looks after the connection any more. The caller holds mu.
func (c *Conn) leaveQueue() {
	c.queued, c.stalled = false, false
	if c.state != stateOpen {
		c.rouse()
	}
}

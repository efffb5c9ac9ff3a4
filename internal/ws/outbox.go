package ws

import "runtime"

// outbox is what a connection has to send. It is protected by the connection's lock.
type outbox struct {
	waiting *batch // nil when nothing waits
	wait    load   // of waiting
	flight  load   // taken by the writer and not written yet

	held    bool // nothing leaves before Release
	queued  bool // stands in the flush queue
	writing bool // one goroutine, a flusher or drain, has taken frames: nobody else may write
	stalled bool // it is drain: the network does not take what we have
}

// load is an amount of frames.
type load struct{ bytes, frames int }

func (l *load) add(bytes, frames int) {
	l.bytes += bytes
	l.frames += frames
}

// settled tells whether everything has been written.
func (o *outbox) settled() bool { return o.waiting == nil && !o.writing }

// counted is what the bounds are held against. What is being written counts only when the network has refused it:
// otherwise a burst of frames would look like a slow client. The 101 counts for nothing.
func (o *outbox) counted() load {
	l := o.wait
	if o.stalled {
		l.add(o.flight.bytes, o.flight.frames)
	}
	if o.held {
		l.frames--
	}
	return l
}

// over tells whether more bytes and frames go over the bounds. A single frame may be larger than the bound.
func (o *outbox) over(bytes, frames int, opts *Options) bool {
	l := o.counted()
	l.add(bytes, frames)
	return l.frames > opts.MaxOutFrames || l.frames > 1 && l.bytes > opts.MaxOutBytes
}

// add appends a frame whatever the bounds.
func (o *outbox) add(g *Group, f Frame) {
	if o.waiting == nil {
		o.waiting = g.getBatch()
	}
	o.waiting.frames = append(o.waiting.frames, f)
	o.wait.add(len(f.wire), 1)
}

// take gives everything that waits to the writer, who must settle it; nil when there is nothing.
func (o *outbox) take() *batch {
	b := o.waiting
	if b != nil {
		b.freeze()
	}
	o.waiting = nil
	o.flight.add(o.wait.bytes, o.wait.frames)
	o.wait = load{}
	o.writing = b != nil
	return b
}

// drop forgets what waits, but for the first keep frames, which are no drafts.
func (o *outbox) drop(g *Group, keep int) {
	b := o.waiting
	if b == nil {
		return
	}
	for _, f := range b.frames[keep:] {
		o.wait.add(-len(f.wire), -1)
	}
	for _, d := range b.drafts {
		o.wait.add(-d.size, 0)
	}
	b.freeze()
	b.forgetDrafts()
	clear(b.frames[keep:])
	b.frames = b.frames[:keep]
	if keep == 0 {
		g.putBatch(b)
		o.waiting = nil
	}
}

// Release lets the outbox go: the 101 and everything sent since leave in one write. Without an Upgrade before it does
// nothing.
func (c *Conn) Release() {
	c.mu.Lock()
	if !c.upgraded {
		c.mu.Unlock()
		return
	}
	c.out.held = false
	c.kickFlush()
}

// Send appends a frame to the outbox and never waits for the client. When the outbox goes over its bounds and the
// network takes no more, the connection closes itself with 4013 and Send returns ErrSlow; once the connection closes for
// whatever reason, ErrClosed. A nil error is no promise that the frame arrives.
func (c *Conn) Send(f Frame) error {
	if len(f.wire) == 0 {
		return nil
	}
	c.mu.Lock()
	return c.send(f)
}

// send is Send. The caller holds mu, which is released.
func (c *Conn) send(f Frame) error {
	if err := c.admit(len(f.wire)); err != nil {
		return err
	}
	c.out.add(c.group, f)
	c.kickFlush()
	return nil
}

// admit sees to it that there is room for a frame of n bytes. The caller holds mu, which is released when there is an
// error.
func (c *Conn) admit(n int) error {
	if c.state == stateOpen && c.out.over(n, 1, c.opts) && !c.makeRoom(n, 1) {
		c.closeSlow()
		return ErrSlow
	}
	if c.state != stateOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// closeSlow drops what waits and closes with 4013. The caller holds mu, which is released.
func (c *Conn) closeSlow() {
	c.opts.Counters.SlowCloses.Add(1)
	keep := 0
	if c.out.held && c.upgraded {
		keep = 1 // the 101: without it the Close would make no sense
	}
	c.out.drop(c.group, keep)
	c.closeLocked(&CloseError{Code: CodeSlow, Reason: "slow client"})
}

// makeRoom is called when the outbox is full. Unless the network has refused what was written, that only tells that the
// sender is faster than the flushers: then the sender does their work. It returns false when the client is slow. The
// caller holds mu, which is released meanwhile; the state may have changed afterwards.
func (c *Conn) makeRoom(bytes, frames int) bool {
	for c.state == stateOpen && c.out.over(bytes, frames, c.opts) {
		switch {
		case c.out.stalled || c.out.held:
			return false
		case c.out.writing || c.raw == nil:
			// A flusher is at it, which never waits for the client either.
			c.mu.Unlock()
			runtime.Gosched()
		default:
			b := c.out.take()
			c.mu.Unlock()
			f := c.group.flusher()
			f.write(c, b)
			f.release()
		}
		c.mu.Lock()
	}
	return true
}

// kickFlush sees to it that a flusher comes when there is something to write. The caller holds mu, which is released.
func (c *Conn) kickFlush() {
	o := &c.out
	push := o.waiting != nil && !o.held && !o.queued && !o.writing && c.state != stateClosed
	if push {
		o.queued = true
	}
	c.mu.Unlock()
	if push {
		c.group.flushers.push(c)
	}
}

// claim gives a flusher what waits in the outbox; nil when there is nothing to write or somebody else writes.
func (c *Conn) claim() *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.queued = false
	if c.out.writing {
		return nil
	}
	return c.out.take()
}

// wrote notes that the writer's last frames have left and that it writes no more. If more waits, a flusher will come.
func (c *Conn) wrote(bytes, frames int) {
	c.mu.Lock()
	c.out.flight.add(-bytes, -frames)
	c.out.writing, c.out.stalled = false, false
	if c.out.waiting != nil {
		c.kickFlush()
		return
	}
	after := c.afterFlush()
	if c.state != stateOpen {
		c.rouse()
	}
	c.mu.Unlock()
	c.do(after)
}

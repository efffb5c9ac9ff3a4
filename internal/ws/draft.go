package ws

// Draft is a frame that can still grow: it is made when it is taken out of the outbox to be written, and until then
// Amend may change what it will say. So a sender keeps what it has for a slow client in one frame. A Draft belongs to
// one connection. Get it from SendDraft.
type Draft struct {
	content Content
	// The connection's lock guards the following.
	size  int  // what the outbox counts for it
	at    int  // its place in the batch
	waits bool // in the outbox; what has been taken to be written cannot be changed
}

// Content is what a Draft says.
type Content interface {
	// Size is the length of the frame on the wire, as near as can be told without making it. It is called under the
	// connection's lock.
	Size() int
	// Frame makes the frame, which must not be the zero Frame. It is called once at most, without a lock, when the draft
	// can be changed no more.
	Frame() Frame
}

// Offer is Send, but for an outbox that is more than half full: then nothing is queued and the error is ErrCrowded. The
// sender may join the frame into a Draft that waits, or make it a new one.
func (c *Conn) Offer(f Frame) error {
	c.mu.Lock()
	if c.state == stateOpen && c.out.crowded(c.opts) {
		c.mu.Unlock()
		return ErrCrowded
	}
	return c.send(f)
}

// SendDraft is Send for a frame that Amend may change as long as it waits. Errors as Send's.
func (c *Conn) SendDraft(content Content) (*Draft, error) {
	d := &Draft{content: content, size: content.Size()}
	c.mu.Lock()
	if err := c.admit(d.size); err != nil {
		return nil, err
	}
	c.out.addDraft(c.group, d)
	c.kickFlush()
	return d, nil
}

// Amend calls change, under the connection's lock, if the draft still waits; change alters its content, or returns false
// and leaves it alone. It must do nothing else. Amend returns whether the draft has been changed. A draft that has grown
// over the bounds closes the connection as Send does.
func (c *Conn) Amend(d *Draft, change func() bool) bool {
	c.mu.Lock()
	if !d.waits || c.state != stateOpen || !change() {
		c.mu.Unlock()
		return false
	}
	size := d.content.Size()
	c.out.wait.bytes += size - d.size
	d.size = size
	if c.out.over(0, 0, c.opts) && !c.makeRoom(0, 0) {
		c.closeSlow()
		return true
	}
	c.mu.Unlock()
	return true
}

// crowded tells whether the outbox is more than half full.
func (o *outbox) crowded(opts *Options) bool {
	l := o.counted()
	return l.frames > opts.MaxOutFrames/2 || l.bytes > opts.MaxOutBytes/2
}

// addDraft appends a draft whatever the bounds. Its frame is empty until it is settled.
func (o *outbox) addDraft(g *Group, d *Draft) {
	o.add(g, Frame{})
	o.wait.bytes += d.size
	d.at, d.waits = len(o.waiting.frames)-1, true
	o.waiting.drafts = append(o.waiting.drafts, d)
}

// settle makes the frames of the drafts in a batch that the caller has taken.
func (c *Conn) settle(b *batch) {
	if b == nil || len(b.drafts) == 0 {
		return
	}
	more := 0
	for _, d := range b.drafts {
		f := d.content.Frame()
		b.frames[d.at] = f
		more += f.Len() - d.size
		d.content = nil
	}
	b.forgetDrafts()
	c.mu.Lock()
	c.out.flight.add(more, 0)
	c.mu.Unlock()
}

// freeze ends the time in which drafts can be changed. The caller holds the connection's lock.
func (b *batch) freeze() {
	for _, d := range b.drafts {
		d.waits = false
	}
}

func (b *batch) forgetDrafts() {
	clear(b.drafts)
	b.drafts = b.drafts[:0]
}

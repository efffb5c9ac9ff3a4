package memory

import (
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// SetDown cuts the node off, or connects it again. Cutting it off loses what is on its way and ends its requests with
// port.ErrTimeout; connecting it again is a gap.
func (b *Bus) SetDown(down bool) {
	b.net.mu.Lock()
	was := b.down
	b.down = down
	gap := b.gap
	if was && !down {
		b.epoch++
	}
	if down {
		items := b.wire.items
		b.wire.items = nil
		for _, it := range items {
			if it.lost != nil {
				it.lost()
			}
		}
		for reply, w := range b.net.waiting {
			if w.bus == b {
				b.net.fail(reply, port.ErrTimeout)
			}
		}
	}
	b.net.mu.Unlock()
	if was && !down {
		gap("reconnect")
	}
}

// SetDelay makes everything that the node sends from now on arrive later by d, in its order.
func (b *Bus) SetDelay(d time.Duration) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.wire.delay = d
}

// SetStalled holds up everything that the node sends, as a server that hangs does: Flush and requests wait. Without a
// stall it goes on where it was.
func (b *Bus) SetStalled(stalled bool) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	if b.wire.stalled == stalled {
		return
	}
	b.wire.stalled = stalled
	if stalled {
		b.wire.resume = make(chan struct{})
	} else {
		close(b.wire.resume)
	}
}

// SetDrop loses each message of the node for which drop is true; nil loses none. The function is called with locks
// held and must not call the bus.
func (b *Bus) SetDrop(drop func(port.Message) bool) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.drop = drop
}

// OnGap sets who is told that messages of an intake were, or may have been, lost: reason is "overflow" or "reconnect".
func (b *Bus) OnGap(tell func(reason string)) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.gap = tell
}

func (b *Bus) tellGap(reason string) {
	b.net.mu.Lock()
	gap := b.gap
	b.net.mu.Unlock()
	gap(reason)
}

// enqueue sends at once when the way is free, else in its turn; lost, which may be nil, is called instead when the node
// is cut off before. The caller holds net.mu.
func (b *Bus) enqueue(send, lost func()) {
	w := &b.wire
	if w.delay == 0 && !w.stalled && len(w.items) == 0 && !w.running {
		send()
		return
	}
	w.items = append(w.items, item{due: time.Now().Add(w.delay), send: send, lost: lost})
	if !w.running {
		w.running = true
		go b.runWire()
	}
}

// runWire sends what waits, each when it is due, and ends when nothing waits.
func (b *Bus) runWire() {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	w := &b.wire
	for len(w.items) > 0 {
		if w.stalled {
			resume := w.resume
			b.net.mu.Unlock()
			<-resume
			b.net.mu.Lock()
			continue
		}
		if rest := time.Until(w.items[0].due); rest > 0 {
			b.net.mu.Unlock()
			time.Sleep(rest)
			b.net.mu.Lock()
			continue
		}
		next := w.items[0]
		w.items = w.items[1:]
		next.send()
	}
	w.running = false
}

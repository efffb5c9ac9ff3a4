package memory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of the answers that wait to be taken by one gathered request.
const (
	gatherCount = 8192
	gatherBytes = 64 << 20
)

// gather is one gathered request under way. Its fields are guarded by Network.mu.
type gather struct {
	wake  chan struct{} // holds one token: queue or err has changed
	queue []port.Message
	bytes int64
	err   error // why no more will come
}

// take is told an answer or the end. The caller holds Network.mu.
func (g *gather) take(a answer) {
	switch {
	case g.err != nil:
		return
	case a.err != nil:
		g.err = a.err
	case len(g.queue) >= gatherCount || g.bytes+size(a.m) > gatherBytes:
		g.err = fmt.Errorf("answers of one request: %w", port.ErrTooLarge)
	default:
		g.queue = append(g.queue, a.m)
		g.bytes += size(a.m)
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// RequestMany sends m on a lane and hands every answer to each, on the caller's goroutine, until it returns false or ctx
// ends.
func (b *Bus) RequestMany(ctx context.Context, lane port.Lane, m port.Message, each func(port.Message) (more bool)) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	g := &gather{wake: make(chan struct{}, 1)}
	reply, err := b.askMany(lane, m, g)
	if err != nil {
		return err
	}
	defer func() {
		b.net.mu.Lock()
		delete(b.net.waiting, reply)
		b.net.mu.Unlock()
	}()
	for {
		var over error
		select {
		case <-g.wake:
		case <-ctx.Done():
			over = ended(ctx.Err())
		}
		b.net.mu.Lock()
		queue, err := g.queue, g.err
		g.queue, g.bytes = nil, 0
		b.net.mu.Unlock()
		for _, a := range queue {
			if !each(a) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if over != nil {
			return over
		}
	}
}

// askMany sends a request all of whose answers g takes.
func (b *Bus) askMany(lane port.Lane, m port.Message, g *gather) (reply string, err error) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	if err := b.check(m); err != nil {
		return "", err
	}
	m = own(m)
	b.net.inboxes++
	m.Reply = "_INBOX_memory." + strconv.FormatUint(b.net.inboxes, 10)
	b.net.waiting[m.Reply] = &waiter{bus: b, many: true, take: g.take}
	if b.drop == nil || !b.drop(m) {
		b.sendRequest(lane, m)
	}
	return m.Reply, nil
}

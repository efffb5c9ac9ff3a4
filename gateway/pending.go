package gateway

import (
	"context"
	"errors"
	"sync"

	"github.com/swindon-go/swindon/internal/ws"
)

// errEnded says that a connection was closed while it was being authorized; code and reason are in its pending.
var errEnded = errors.New("closed before hello")

// pending is what a connection needs only until its hello: the frames that were pushed to it meanwhile (protocol §7.4)
// and the way to give its authorization up.
type pending struct {
	cancel context.CancelFunc // ends the authorization
	max    int                // bytes

	mu     sync.Mutex // guards all below
	frames []ws.Frame
	bytes  int
	// code is not 0 when the connection must be closed instead of welcomed.
	code   closeCode
	reason string
	// done is true when hello has been queued.
	done bool
}

// keep keeps a frame; it is false when the connection is pending no more and the frame must be sent instead.
func (p *pending) keep(f ws.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return false
	}
	if p.code != 0 {
		return true
	}
	p.bytes += f.Len()
	if p.bytes > p.max {
		p.stop(closeSlow, reasonPendingFull)
		return true
	}
	p.frames = append(p.frames, f)
	return true
}

// keepState is keep without a bound: a connection has few such frames.
func (p *pending) keepState(f ws.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.done && p.code == 0 {
		p.frames = append(p.frames, f)
	}
	return !p.done
}

// end gives the authorization up; it is false when hello has been queued already.
func (p *pending) end(code closeCode, reason string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return false
	}
	if p.code == 0 {
		p.stop(code, reason)
	}
	return true
}

func (p *pending) stop(code closeCode, reason string) {
	p.code, p.reason, p.frames = code, reason, nil
	p.cancel()
}

// ended tells the code of a connection that was closed before its hello; 0 for others.
func (p *pending) ended() (closeCode, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, p.reason
}

// flush sends the first frame and what was kept behind it; from then on everything goes straight to the outbox. Nothing
// can come between (decision D11). All of it is one entry of the outbox: max-pending-bytes has bounded it, and that the
// backend was busy does not make the client slow.
func (c *conn) flush(p *pending, protocol string, first ws.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.code != 0 {
		return errEnded
	}
	err := c.ws.Upgrade(protocol)
	if err == nil {
		if len(p.frames) > 0 {
			first = ws.Join(first, p.frames)
		}
		err = c.ws.Send(first)
	}
	p.frames, p.done = nil, true
	c.pending.Store(nil)
	return err
}

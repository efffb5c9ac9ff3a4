package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// slowWrite is how long a write to the client may take before reading from the backend goes on beside it.
const slowWrite = 10 * time.Millisecond

// errClientWrite says that the client does not take the response.
var errClientWrite = errors.New("client does not read the response")

// passage passes on a body that is not here completely: what comes goes out at once. While the client keeps up, one
// goroutine reads and writes by turns. As soon as a write takes longer, a second one goes on reading, up to limit bytes
// ahead (response-buffer-size), so that a slow client does not hold up the backend.
type passage struct {
	x     *exchange
	w     http.ResponseWriter
	ctx   context.Context // the request's, and so is the passage
	limit int64

	mu     sync.Mutex // Protects following.
	change sync.Cond
	pieces []piece // read and not taken by the writer
	size   int64
	// stopped: the writer wants no more. finished: the reader has got everything, or failed with err.
	stopped, finished bool
	err               error
	// exited is closed when the reader is through with the exchange.
	exited chan struct{}
}

// piece is data in a buffer of its own.
type piece struct {
	data []byte
	buf  *buffer
}

// run passes the body on, beginning with first, which is in the connection's buffer.
func (p *passage) run(first []byte) error {
	p.change.L = &p.mu
	flush := http.NewResponseController(p.w)
	rest := p.x.conn.unread()
	next := piece{first, p.x.conn.detach()}
	if len(rest) > 0 {
		p.x.conn.buf = newBuffer()
		p.x.conn.w = copy(p.x.conn.buf.p, rest)
	}
	if p.x.resp.left > max(p.limit, minSplice) && p.x.resp.kind == bodyLength {
		if err := p.splice(next); err != nil {
			return err
		}
		next = piece{}
	}
	var timer *time.Timer
	for !p.x.resp.done {
		if p.limit > 0 && timer == nil {
			p.exited = make(chan struct{})
			timer = time.AfterFunc(slowWrite, p.readAhead)
		} else if timer != nil {
			timer.Reset(slowWrite)
		}
		err := p.write(next, flush)
		if timer != nil && !timer.Stop() {
			return p.writeRest(flush, err)
		}
		if err != nil {
			return err
		}
		if next.data, next.buf, err = p.x.takeData(p.ctx); err != nil {
			return err
		}
	}
	p.x.finish() // the backend is through, whatever the client does
	return p.write(next, nil)
}

// write writes one piece and, unless it is the last, sends it off.
func (p *passage) write(pc piece, flush *http.ResponseController) error {
	defer pc.buf.free()
	if len(pc.data) > 0 {
		if _, err := p.w.Write(pc.data); err != nil {
			return fmt.Errorf("%w: %w", errClientWrite, err)
		}
	}
	if flush == nil {
		return nil
	}
	if err := flush.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("%w: %w", errClientWrite, err)
	}
	return nil
}

// readAhead reads the rest of the body into memory, never more than limit bytes ahead of the writer. It owns the
// exchange until it exits, and ends it as soon as the body is complete.
func (p *passage) readAhead() {
	defer close(p.exited)
	for !p.x.resp.done {
		data, buf, err := p.x.takeData(p.ctx)
		if !p.put(piece{data, buf}, err) {
			return
		}
	}
	p.mu.Lock()
	p.finished = true
	p.change.Broadcast()
	p.mu.Unlock()
	p.x.finish()
}

// put hands a piece to the writer and waits until there is room for another. It returns false when reading is over.
func (p *passage) put(pc piece, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.change.Broadcast()
	if err != nil {
		p.err, p.finished = err, true
		return false
	}
	p.pieces = append(p.pieces, pc)
	p.size += int64(len(pc.data))
	p.change.Broadcast()
	for p.size >= p.limit && !p.stopped {
		p.change.Wait()
	}
	return !p.stopped
}

// take returns what was read next, or the end.
func (p *passage) take() (pc piece, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.pieces) == 0 && !p.finished {
		p.change.Wait()
	}
	if len(p.pieces) == 0 {
		return piece{}, false, p.err
	}
	pc = p.pieces[0]
	p.pieces = p.pieces[1:]
	p.size -= int64(len(pc.data))
	p.change.Broadcast()
	return pc, true, nil
}

// writeRest writes what the reader gets, after it has taken over.
func (p *passage) writeRest(flush *http.ResponseController, err error) error {
	for err == nil {
		pc, ok, end := p.take()
		if !ok {
			err = end
			break
		}
		err = p.write(pc, flush)
	}
	p.stop()
	<-p.exited
	return err
}

// stop makes the reader exit.
func (p *passage) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if !p.finished {
		p.x.conn.abort()
	}
	p.change.Broadcast()
	for _, pc := range p.pieces {
		pc.buf.free()
	}
	p.pieces = nil
}

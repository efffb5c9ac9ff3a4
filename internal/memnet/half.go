package memnet

import (
	"io"
	"net"
	"os"
	"sync"
)

// half is one direction of a connection: a bounded buffer with one writing and one reading end.
type half struct {
	max int

	mu      sync.Mutex    // protects the following
	buf     []byte        // written, not yet read. Invariant: len(buf) <= max.
	changed chan struct{} // closed and replaced at every change
	eof     bool          // the writing end is closed
	gone    bool          // the reading end is closed
}

func newHalf(limit int) *half {
	return &half{max: limit, changed: make(chan struct{})}
}

// notify wakes everybody who waits for a change. The caller holds mu.
func (h *half) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *half) read(p []byte, d *deadline) (int, error) {
	for {
		h.mu.Lock()
		switch {
		case h.gone:
			h.mu.Unlock()
			return 0, net.ErrClosed
		case d.passed():
			h.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			if len(h.buf) == 0 {
				h.buf = nil
			}
			h.notify()
			h.mu.Unlock()
			return n, nil
		case h.eof:
			h.mu.Unlock()
			return 0, io.EOF
		case len(p) == 0:
			h.mu.Unlock()
			return 0, nil
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-d.wait():
		}
	}
}

func (h *half) write(p []byte, d *deadline) (int, error) {
	written := 0
	for {
		h.mu.Lock()
		switch {
		case h.eof:
			h.mu.Unlock()
			return written, net.ErrClosed
		case h.gone:
			h.mu.Unlock()
			return written, io.ErrClosedPipe
		case d.passed():
			h.mu.Unlock()
			return written, os.ErrDeadlineExceeded
		}
		if n := min(len(p), h.max-len(h.buf)); n > 0 {
			h.buf = append(h.buf, p[:n]...)
			p, written = p[n:], written+n
			h.notify()
		}
		changed := h.changed
		h.mu.Unlock()
		if len(p) == 0 {
			return written, nil
		}
		select {
		case <-changed:
		case <-d.wait():
		}
	}
}

// closeWrite ends the stream: the reader gets what is buffered, then io.EOF.
func (h *half) closeWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.eof {
		h.eof = true
		h.notify()
	}
}

// closeRead drops what is buffered and makes later writes fail.
func (h *half) closeRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.gone {
		h.gone = true
		h.buf = nil
		h.notify()
	}
}

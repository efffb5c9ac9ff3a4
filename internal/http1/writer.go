package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// errDone is what a ResponseWriter answers when its handler has returned.
var errDone = errors.New("http1: the handler has returned")

// over is what a writer's calls are lowered by when the handler has returned. No writer has as many calls.
const over = -1 << 30

// writer is the http.ResponseWriter that a handler gets. It belongs to one request, and stands between the handler and
// the response, which is the connection's: who keeps it for longer than the handler runs does not reach into the next
// response. Until then its methods are response's, and must not be called concurrently, as with net/http.
type writer struct {
	w *response
	// calls is how many are under way, lowered by over once the handler has returned. It is no lock, since a source that
	// ReadFrom copies may use the writer, and nobody should wait for a source.
	calls atomic.Int32
}

// enter begins a call. It returns false when the handler has returned: then w must not be touched. In both cases leave
// ends the call.
func (h *writer) enter() bool { return h.calls.Add(1) > 0 }

func (h *writer) leave() { h.calls.Add(-1) }

// detach parts the writer from its response, when the handler has returned. It returns false when a call of another
// goroutine is under way: then response and connection must not be used any more, only closed.
func (h *writer) detach() bool {
	if h.calls.CompareAndSwap(0, over) {
		h.w = nil // nobody looks at it from now on; who keeps the writer should not keep the connection
		return true
	}
	h.calls.Add(over)
	return false
}

// Header returns the header that WriteHeader sends, after the handler has returned an empty one.
func (h *writer) Header() http.Header {
	defer h.leave()
	if !h.enter() {
		return http.Header{}
	}
	return h.w.Header()
}

// WriteHeader writes the head. It does nothing after the handler has returned.
func (h *writer) WriteHeader(code int) {
	defer h.leave()
	if h.enter() {
		h.w.WriteHeader(code)
	}
}

// Write writes a part of the body.
func (h *writer) Write(p []byte) (int, error) {
	defer h.leave()
	if !h.enter() {
		return 0, errDone
	}
	return h.w.Write(p)
}

// WriteString writes a part of the body.
func (h *writer) WriteString(s string) (int, error) {
	defer h.leave()
	if !h.enter() {
		return 0, errDone
	}
	return h.w.WriteString(s)
}

// ReadFrom copies a part of the body from src.
func (h *writer) ReadFrom(src io.Reader) (int64, error) {
	defer h.leave()
	if !h.enter() {
		return 0, errDone
	}
	return h.w.ReadFrom(src)
}

// Flush sends what there is.
func (h *writer) Flush() { _ = h.FlushError() }

// FlushError sends what there is and tells whether that went well.
func (h *writer) FlushError() error {
	defer h.leave()
	if !h.enter() {
		return errDone
	}
	return h.w.FlushError()
}

// Hijack gives the connection to the handler.
func (h *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	defer h.leave()
	if !h.enter() {
		return nil, nil, errDone
	}
	return h.w.Hijack()
}

// SetReadDeadline does nothing: plain requests have no body, and the wait for the next one is not the handler's.
func (h *writer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline sets the deadline for the rest of this response.
func (h *writer) SetWriteDeadline(t time.Time) error {
	defer h.leave()
	if !h.enter() {
		return errDone
	}
	return h.w.SetWriteDeadline(t)
}

// EnableFullDuplex does nothing: there is no body to be read.
func (h *writer) EnableFullDuplex() error { return nil }

var (
	_ http.Flusher    = (*writer)(nil)
	_ http.Hijacker   = (*writer)(nil)
	_ io.ReaderFrom   = (*writer)(nil)
	_ io.StringWriter = (*writer)(nil)
)

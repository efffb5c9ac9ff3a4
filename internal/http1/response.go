package http1

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// undecided is up to how many bytes a body is held back that may turn out to be the whole.
const undecided = 2048

// response is what is behind the http.ResponseWriter of the request that is served. It behaves as net/http's, which the
// tests compare it with. One is used for all requests of a connection, and belongs to its goroutine.
type response struct {
	c      *conn
	q      *request
	req    *http.Request
	header http.Header
	names  []string // scratch space for writeHead
	// trailers are the Trailer fields at the time of WriteHeader.
	trailers []string

	// out has not been sent; it begins in room. held is body whose framing is not decided; it begins in heldRoom.
	out, held      []byte
	room, heldRoom *[headRoom]byte

	status  int
	length  int64 // declared, or -1
	written int64 // bytes of the body so far
	err     error // the first of a write to the socket

	wrote     bool // WriteHeader was called: out has the head, but for its end
	committed bool // the head is complete
	chunked   bool
	framing   framing
	declared  bool // there was a Content-Length, be it a wrong one
	untyped   bool // without a Content-Type that would be needed
	closing   bool // the connection ends with this response
	hijacked  bool
	deadline  bool // one for writing was set
}

// framing is what the handler's headers say about how the body is delimited, besides its length.
type framing uint8

const (
	framingFree     framing = iota // nothing: it may be found out
	framingChunked                 // trailers are to come, or chunks were asked for
	framingIdentity                // the end of the connection delimits it
)

// reset begins the response to a request.
func (w *response) reset(c *conn, q *request, r *http.Request) {
	h := w.header
	if h == nil {
		h = make(http.Header)
	}
	*w = response{c: c, q: q, req: r, header: h, names: w.names[:0], length: -1}
	w.room = buffers.Get().(*[headRoom]byte)
	w.out = w.room[:0]
}

// free gives the memory back.
func (w *response) free() {
	buffers.Put(w.room)
	if w.heldRoom != nil {
		buffers.Put(w.heldRoom)
	}
	if w.deadline && !w.hijacked {
		_ = w.c.lc.SetWriteDeadline(time.Time{})
	}
	w.q, w.req, w.room, w.heldRoom, w.out, w.held, w.trailers = nil, nil, nil, nil, nil, nil, nil
	clear(w.names)
	clear(w.header) // now, since the connection may be idle for long
	if cap(w.names) > 2*manyFields {
		w.names, w.header = nil, nil // the next response has fewer
	}
}

// Header returns the header that WriteHeader sends.
func (w *response) Header() http.Header { return w.header }

// WriteHeader writes the head. Informational ones (1xx) go out at once.
func (w *response) WriteHeader(code int) {
	switch {
	case w.hijacked, w.wrote:
		w.c.s.full.ErrorLog.Printf("superfluous WriteHeader of %d for %s", code, w.req.RequestURI)
		return
	case code < 100 || code > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	case code < 200 && code != http.StatusSwitchingProtocols:
		w.out = appendStatus(w.out, code)
		w.appendFields(code)
		w.out = append(w.out, "\r\n"...)
		_ = w.send(nil)
		return
	}
	w.wrote, w.status = true, code
	w.writeHead()
}

// bodyAllowed tells whether the status can have a body (RFC 9110 §6.4.1).
func (w *response) bodyAllowed() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// silent tells whether the response has no body on the wire.
func (w *response) silent() bool { return w.req.Method == http.MethodHead || !w.bodyAllowed() }

// Write writes a part of the body.
func (w *response) Write(p []byte) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !w.bodyAllowed():
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(p))
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if !w.committed {
		if (w.length < 0 || w.untyped) && len(w.held)+len(p) <= undecided {
			w.hold(p)
			return len(p), nil
		}
		if err := w.decide(p); err != nil {
			return 0, err
		}
	}
	if err := w.put(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString writes a part of the body.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// hold keeps bytes of the body until more is known.
func (w *response) hold(p []byte) {
	if w.heldRoom == nil {
		w.heldRoom = buffers.Get().(*[headRoom]byte)
		w.held = w.heldRoom[:0]
	}
	w.held = append(w.held, p...)
}

// decide completes the head while there may be more of the body than what is held and next.
func (w *response) decide(next []byte) error {
	if len(w.held) == 0 {
		w.commit(next, false)
		return nil
	}
	held := w.held
	w.held = nil
	w.commit(append(held, next[:min(len(next), sniffed)]...), false) // there is room for it
	return w.put(held)
}

// put sends bytes of the body, or keeps them for the next system call.
func (w *response) put(p []byte) error {
	switch {
	case len(p) == 0 || w.silent():
		return w.err
	case !w.chunked:
		return w.append(p)
	}
	w.out = strconv.AppendUint(w.out, uint64(len(p)), 16)
	w.out = append(w.out, "\r\n"...)
	err := w.append(p)
	w.out = append(w.out, "\r\n"...)
	return err
}

// append appends to what is to be sent. What does not fit behind it is sent with it.
func (w *response) append(p []byte) error {
	if len(w.out)+len(p) <= headRoom {
		w.out = append(w.out, p...)
		return w.err
	}
	return w.send(p)
}

// send sends what waits, and p behind it, in one system call.
func (w *response) send(p []byte) error {
	if w.err != nil {
		w.out = w.room[:0]
		return w.err
	}
	var err error
	if len(w.out)+len(p) > 0 {
		err = w.c.lc.WriteBoth(w.out, p)
	}
	w.out = w.room[:0]
	w.fail(err)
	return err
}

// fail notes that the client cannot be written to: the handler need not go on.
func (w *response) fail(err error) {
	if err != nil && w.err == nil {
		w.err = err
		w.q.cancel()
	}
}

// Flush sends what there is.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError sends what there is and tells whether that went well.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if !w.committed {
		if err := w.decide(nil); err != nil {
			return err
		}
	}
	return w.send(nil)
}

// finish ends the response after the handler has returned.
func (w *response) finish() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if !w.committed {
		w.commit(w.held, true)
		_ = w.put(w.held)
	}
	if w.chunked {
		w.appendTrailers()
	}
	_ = w.send(nil)
}

// keep tells whether the connection can be used for another request.
func (w *response) keep() bool {
	whole := w.length < 0 || w.silent() || w.written == w.length
	return whole && !w.closing && w.err == nil
}

package proxy

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/swindon-go/swindon/internal/web"
)

// respond passes the response on. Its bytes go out as they come in.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, x *exchange, rec *web.Record) {
	c := x.conn
	in := c.unread()
	n, used, err := x.resp.gather(in)
	if err != nil {
		h.fail(w, r, x, rec, err)
		return
	}
	first := in[:n]
	c.r += used
	x.head.copyTo(w.Header(), x.passedLength(n))
	h.extra.AddTo(w.Header())
	if !x.resp.done {
		w.WriteHeader(x.head.status)
		p := passage{x: x, w: w, ctx: r.Context(), limit: h.ahead}
		if err := p.run(first); err != nil {
			h.failLate(r, x, err)
			panic(http.ErrAbortHandler) // so that the client sees that the body is not complete
		}
		return
	}
	// The whole body is here: the connection is free for the next request before the client gets it.
	if c.r != c.w {
		x.head.keepAlive = false // there is more than was asked for
	}
	status := x.head.status
	buf := c.detach()
	x.finish()
	w.WriteHeader(status)
	if n > 0 {
		_, _ = w.Write(first)
	}
	buf.free()
}

// passedLength is the Content-Length for the client, where n bytes of the body have been read. Empty: none.
func (x *exchange) passedLength(n int) string {
	known := x.resp.kind == bodyLength || x.resp.kind == bodyNone && x.method == http.MethodHead
	switch {
	case known && x.head.length > 0 && x.head.lengthText[0] != '0':
		return x.head.lengthText
	case known && x.head.length >= 0:
		return strconv.FormatInt(x.head.length, 10)
	case x.resp.kind == bodyChunked && x.resp.done:
		return strconv.Itoa(n)
	}
	return ""
}

// copyTo adds the header fields to those of our response, without those about the backend's connection, and a
// Content-Length if it is not empty. Of Server and Date only the first is taken (decision D33).
func (h *head) copyTo(dst http.Header, length string) {
	values := make([]string, len(h.fields)+1)
	if length != "" {
		last := len(h.fields)
		values[last] = length
		dst["Content-Length"] = values[last : last+1 : last+1]
	}
	var server, date, contentType bool
	for i, f := range h.fields {
		if h.hopByHop(f.name) {
			continue
		}
		name := http.CanonicalHeaderKey(f.name)
		switch name {
		case "Server":
			if server {
				continue
			}
			server = true
			delete(dst, name)
		case "Date":
			if date {
				continue
			}
			date = true
			delete(dst, name)
		case "Content-Type":
			contentType = true
		case "Trailer":
			continue // trailers end at us
		}
		values[i] = f.value
		if old := dst[name]; old != nil {
			dst[name] = append(old, f.value)
		} else {
			dst[name] = values[i : i+1 : i+1]
		}
	}
	if !contentType && h.status != http.StatusSwitchingProtocols {
		dst["Content-Type"] = nil // the server must not guess one
	}
}

// failLate logs a response that broke off; when the client left, that is no news.
func (h *Handler) failLate(r *http.Request, x *exchange, err error) {
	if r.Context().Err() == nil && !errors.Is(err, errClientWrite) {
		h.log.Warn("Response of the backend broke off", "destination", h.name, "backend", x.backend, "err", err)
	}
}

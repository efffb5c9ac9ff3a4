package proxy

import (
	"context"
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
	x.head.copyTo(w.Header())
	if !x.resp.done {
		h.respondLong(w, r, x, first)
		return
	}
	switch {
	case x.resp.kind != bodyNone:
		w.Header()["Content-Length"] = []string{strconv.Itoa(n)}
	case r.Method == http.MethodHead && x.head.length >= 0:
		w.Header()["Content-Length"] = []string{strconv.FormatInt(x.head.length, 10)}
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

// copyTo adds the header fields to those of our response, without those about the backend's connection. Of Server and
// Date only the first is taken (decision D33).
func (h *head) copyTo(dst http.Header) {
	values := make([]string, len(h.fields))
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

// respondLong passes on a body that is not here completely yet; first is what is.
func (h *Handler) respondLong(w http.ResponseWriter, r *http.Request, x *exchange, first []byte) {
	if x.resp.kind == bodyLength {
		w.Header()["Content-Length"] = []string{strconv.FormatInt(x.head.length, 10)}
	}
	w.WriteHeader(x.head.status)
	flush := http.NewResponseController(w)
	data := first
	for {
		if len(data) > 0 {
			if _, err := w.Write(data); err != nil {
				return // the client is gone
			}
		}
		if x.resp.done {
			return
		}
		if len(x.conn.unread()) == 0 {
			_ = flush.Flush() // before waiting
		}
		var err error
		if data, err = x.nextData(r.Context()); err != nil {
			h.failLate(x, err)
			panic(http.ErrAbortHandler) // so that the client sees that the body is not complete
		}
	}
}

// failLate logs a response that broke off; when the client left, that is no news.
func (h *Handler) failLate(x *exchange, err error) {
	if !errors.Is(err, context.Canceled) {
		h.log.Warn("Response of the backend broke off", "destination", h.name, "backend", x.backend, "err", err)
	}
}

package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/web"
)

// Finder returns the destination with a name, or nil. It is asked at each request, so that a reload needs no new
// handlers.
type Finder func(name string) *Destination

// Handler is the reverse proxy (!Proxy).
type Handler struct {
	find     Finder
	name     string
	prefix   string
	ipHeader string
	limit    int64
	stream   bool
	ahead    int64
	extra    web.ExtraHeaders
	log      *slog.Logger
}

// NewHandler returns the handler for one !Proxy section. log may be nil.
func NewHandler(cfg HandlerConfig, find Finder, log *slog.Logger) *Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{
		find: find, name: cfg.Destination.Name, prefix: cfg.Destination.Prefix(), ipHeader: cfg.IPHeader,
		limit: cfg.MaxPayloadSize, stream: cfg.StreamRequests, ahead: cfg.ResponseBufferSize,
		extra: web.NewExtraHeaders(cfg.ExtraHeaders, log), log: log,
	}
	if h.ipHeader != "" && !validToken(h.ipHeader) {
		log.Warn("This ip-header is no header name and is not sent", "name", h.ipHeader)
		h.ipHeader = ""
	}
	return h
}

// ServeHTTP passes the request on and the response back.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := web.RecordOf(r)
	d := h.find(h.name)
	switch {
	case d == nil:
		web.Error(w, r, http.StatusNotFound)
		return
	case rec.Form == web.FormAuthority || rec.RawHost == "":
		web.Error(w, r, http.StatusBadRequest)
		return
	}
	x := newExchange(d, r.Method)
	x.interim = true
	defer x.end()
	upgrade := upgradeOf(r)
	x.turn.tunnel = upgrade != ""
	length := int64(0)
	if r.ContentLength != 0 {
		var err error
		if length, err = h.takeBody(x, w, r); err != nil {
			h.badBody(w, r, err)
			return
		}
	}
	h.writeRequest(x, r, rec, length, upgrade)
	if x.stream == nil {
		x.setBody(x.in)
	}
	if err := x.roundTrip(r.Context()); err != nil {
		h.fail(w, r, x, rec, err)
		return
	}
	if x.head.status == http.StatusSwitchingProtocols {
		h.upgrade(w, r, x, rec)
		return
	}
	h.respond(w, r, x, rec)
}

// end finishes and frees the exchange, however the handler ends.
func (x *exchange) end() {
	x.finish()
	x.free()
}

// takeBody reads the request's body, or prepares to stream it. It returns the length, -1 if it is not known.
func (h *Handler) takeBody(x *exchange, w http.ResponseWriter, r *http.Request) (int64, error) {
	if r.ContentLength > h.limit {
		return 0, port.ErrTooLarge
	}
	if !h.stream {
		var err error
		x.in, err = readBody(x.in[:0], r.Body, r.ContentLength, h.limit)
		return int64(len(x.in)), err
	}
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // the backend may answer before the body has ended
	x.stream = &requestStream{
		body: r.Body, length: r.ContentLength, limit: h.limit,
		interrupt: func() { _ = control.SetReadDeadline(longAgo) },
	}
	return r.ContentLength, nil
}

// readBody reads a body to its end into buf, which grows as the bytes come. declared is -1 if the length is unknown.
func readBody(buf []byte, body io.Reader, declared, limit int64) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			want := max(len(buf), bufferSize)
			if declared >= 0 {
				want = min(want, int(declared)-len(buf)+1) // one more, to see the end
			}
			buf = slices.Grow(buf, max(want, 1))
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf, port.ErrTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// badBody answers a request whose body could not be read: 413 for one that is too large, 400 for one that is no HTTP,
// nothing when the client is gone or too slow.
func (h *Handler) badBody(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, port.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case r.Context().Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF),
		isReset(err):
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Connection", "close")
	web.Error(w, r, status)
}

// fail answers a request that got no response.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, x *exchange, rec *web.Record, err error) {
	if s := x.stream; s != nil && s.failure != nil {
		h.badBody(w, r, s.failure)
		return
	}
	if x.stream != nil {
		w.Header().Set("Connection", "close") // the rest of the body is not wanted
	}
	if r.Context().Err() != nil || errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler) // the client left: nobody reads an answer
	}
	status, after := failureStatus(err)
	h.log.Warn("Request to the backend failed", "destination", h.name, "backend", x.backend, "request_id", rec.ID,
		"status", status, "err", err)
	var extra http.Header
	if after > 0 {
		extra = web.RetryAfter(int(after / time.Second))
	}
	web.ErrorWith(w, r, status, extra)
}

// retryAfter is what clients are told when there is no room for them at the moment.
const retryAfter = time.Second

// failureStatus is the status for a request that got no response, and when to come again, if that is known.
func failureStatus(err error) (status int, after time.Duration) {
	switch {
	case errors.Is(err, port.ErrQueueFull):
		return http.StatusServiceUnavailable, 0
	case errors.Is(err, port.ErrQueueTimeout), errors.Is(err, errTunnelsFull):
		return http.StatusServiceUnavailable, retryAfter
	case errors.Is(err, port.ErrGone):
		return http.StatusInternalServerError, 0
	default: // port.ErrTimeout, a lost connection, a malformed response
		return http.StatusBadGateway, 0
	}
}

var _ http.Handler = (*Handler)(nil)

package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// accept takes the connection, has it authorized and starts to serve it. Nothing is written before the outcome is known
// (protocol §1.4); from here to there backends may already address the connection.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, protocol string) {
	p := h.pool
	q, refusal := h.question(r)
	conn, err := ws.Take(w, r, p.options())
	if err != nil {
		h.log.Debug("Handshake was not taken over", "err", err)
		web.Error(w, r, http.StatusInternalServerError)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer whenDone(conn.Context(), func() { cancel(conn.Context().Err()) })()
	c, pend := p.enter(h, conn, func() { cancel(errEnded) })
	q.Conn = c.id()
	var who backend.Identity
	if refusal == nil {
		who, refusal = h.authorize(ctx, c, q)
	}
	code, reason := pend.ended()
	switch {
	case conn.Context().Err() != nil:
		// The client left: nobody is there to be told.
		p.leave(c)
		conn.Close(int(closeGoingAway), reasonGoingAway)
	case code != 0:
		h.turnAway(c, protocol, code, reason)
	case refusal != nil:
		h.refuse(c, protocol, refusal)
	default:
		h.welcome(c, pend, protocol, who)
	}
}

// whenDone is context.AfterFunc, but asks ctx itself: package context would first have it make a channel, which a
// connection would keep for life.
func whenDone(ctx context.Context, f func()) (stop func() bool) {
	if a, ok := ctx.(interface{ AfterFunc(f func()) func() bool }); ok {
		return a.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// authorize asks the backend, for as long as the client is there.
func (h *Handler) authorize(ctx context.Context, c *conn, q *backend.AuthRequest) (backend.Identity, *backend.Refusal) {
	p := h.pool
	dest := h.methods.Lookup(h.level.Reserved(names.AuthorizeConnection))
	start := time.Now()
	who, refusal := p.backend.Authorize(ctx, dest, h.level, q)
	if refusal != nil && ctx.Err() == nil {
		p.deps.Metrics.refused.Add(1)
		lvl := slog.LevelInfo
		if refusal.Status >= 500 {
			lvl = slog.LevelWarn
		}
		p.log.Log(ctx, lvl, "Authorization failed", "destination", dest.String(), "backend", refusal.Backend,
			"status", refusal.Status, "err", refusal.Cause, "conn", c.id().String(), "request_id", c.id().String()+"-auth",
			"duration", time.Since(start))
	}
	return who, refusal
}

// question is what the backend is asked about a handshake, but for the connection's id.
func (h *Handler) question(r *http.Request) (*backend.AuthRequest, *backend.Refusal) {
	rec := web.RecordOf(r)
	_, query, _ := strings.Cut(rec.Target, "?")
	q := &backend.AuthRequest{Query: query, Cookie: joined(r.Header["Cookie"], "; ")}
	if h.remote {
		q.RemoteAddr = rec.Peer.String()
	}
	if len(h.headers) > 0 {
		q.Headers = make([]backend.Header, len(h.headers))
		for i, name := range h.headers {
			q.Headers[i] = backend.Header{Name: name, Value: joined(r.Header.Values(name), ", ")}
		}
	}
	auth := r.Header["Authorization"]
	if len(auth) > 1 {
		return q, backend.Refuse(http.StatusBadRequest, "more than one Authorization header")
	}
	q.Authorization = joined(auth, "")
	return q, nil
}

func joined(lines []string, sep string) backend.Text {
	return backend.Text{Value: strings.Join(lines, sep), Set: len(lines) > 0}
}

// refuse tells the client why it may not come in, and closes (protocol §2.6).
func (h *Handler) refuse(c *conn, protocol string, refusal *backend.Refusal) {
	meta := wire.AppendFatalMeta(nil, refusal.Status)
	parts := wire.Frame(wire.FatalError, meta, refusal.Data)
	h.turnAway(c, protocol, refusalCode(refusal.Status), reasonBackend, ws.Text(parts[:]...))
}

// turnAway ends a connection that was not authorized: 101, the frames if any, Close. Nothing of it stays.
func (h *Handler) turnAway(c *conn, protocol string, code closeCode, reason string, frames ...ws.Frame) {
	h.pool.leave(c)
	if c.ws.Upgrade(protocol) == nil {
		for _, f := range frames {
			_ = c.ws.Send(f)
		}
	}
	c.ws.Close(int(code), reason)
	c.ws.Release()
	c.ws.Serve(func([]byte) error { return nil }, func(int, string) {})
}

// welcome associates the connection with its user's session and lets it speak: 101, hello and what was pushed
// meanwhile leave in one write.
func (h *Handler) welcome(c *conn, pend *pending, protocol string, who backend.Identity) {
	p := h.pool
	replaced := p.associate(c, who.User)
	hello := wire.HelloFrame(who.Hello)
	err := c.flush(pend, protocol, ws.Text(hello[:]...))
	if replaced != nil {
		replaced.close(closeKicked, reasonReplaced)
	}
	if errors.Is(err, errEnded) {
		code, reason := pend.ended()
		h.turnAway(c, protocol, code, reason)
		return
	}
	p.deps.Metrics.connects.Add(1)
	// Serve also a connection that has failed meanwhile: it tells when everything is over.
	c.ws.Serve(c.receive, func(code int, reason string) { p.left(c, code, reason) })
	c.ws.Release()
}

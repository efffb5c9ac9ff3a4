package edge

import (
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/web"
)

// closeValue is shared by all responses: net/http copies header maps before it changes them.
var closeValue = []string{"close"}

// ServeHTTP serves one request: record → route → authorizer → handler → log.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := clientOf(r.Context())
	if c == nil { // not by a connection of ours
		c = &client{}
		if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			c.peer = ap.Addr().Unmap()
		}
		r = r.WithContext(web.WithRecord(r.Context(), &c.rec))
	}
	if c.conn != nil {
		if raw, ok := c.conn.Target(); ok {
			r.RequestURI = raw
		}
	}
	t := s.table.Load()
	target, ok := parseTarget(r.RequestURI)
	c.rec = web.Record{
		ID: s.d.IDs.Next(), Peer: c.peer, Start: time.Now(),
		Target: target.path, Suffix: target.path, Form: target.form,
		Debug: t.debug, ServerName: t.serverName,
	}
	c.w.Reset(w, &c.rec)
	if !ok || r.Method == http.MethodConnect || r.ProtoMajor != 1 || r.ProtoMinor > 1 {
		s.metrics.malformed.Add(1)
		w.Header()["Connection"] = closeValue
		web.Error(&c.w, r, http.StatusBadRequest)
		return
	}
	s.metrics.requests.Add(1)
	if r.ProtoMinor == 0 {
		// HTTP/1.0 connections are never kept, whatever the client asks for; net/http would.
		w.Header()["Connection"] = closeValue
	}
	s.limit(c, t, r)
	defer s.finish(c, t, r)
	s.route(c, t, r, target)
}

// limit sets the deadlines of a request's body and of its response.
func (s *Server) limit(c *client, t *Table, r *http.Request) {
	if c.conn == nil {
		return
	}
	whole := t.outputBody
	if r.ContentLength != 0 {
		// The connection's own read deadline: net/http clears it when the body has come.
		if t.inputBody > 0 {
			_ = c.conn.SetReadDeadline(c.rec.Start.Add(min(t.inputBody, listen.MaxDeadline)))
		}
		if whole > 0 {
			whole += t.inputBody
		}
	}
	c.conn.LimitResponse(whole)
}

// route chooses the target and runs it.
func (s *Server) route(c *client, t *Table, r *http.Request, target requestTarget) {
	rec := &c.rec
	rec.RawHost = r.Host
	known := r.Host != "" || r.ProtoMinor == 1 // HTTP/1.1 has a Host header, be it an empty one
	if target.authority != "" {
		rec.RawHost, known = target.authority, true
	}
	rec.Host = hostOnly(rec.RawHost)
	match, found := t.routes.Lookup(rec.Host, rec.Target)
	if !known || !found {
		rec.Route = web.NoRoute
		web.Error(&c.w, r, http.StatusNotFound)
		return
	}
	to := match.Value
	rec.Suffix, rec.Route, rec.Authorizer = match.Suffix, to.HandlerName, to.AuthorizerName
	if status := to.Authorizer.Authorize(r, rec); status != 0 {
		web.Error(&c.w, r, status)
		return
	}
	to.Handler.ServeHTTP(&c.w, r)
}

// finish ends a request: it answers for a handler that panicked or wrote nothing, counts and logs. It is deferred.
func (s *Server) finish(c *client, t *Table, r *http.Request) {
	v := recover()
	taken := c.conn != nil && c.conn.Taken()
	abort := v == http.ErrAbortHandler //nolint:errorlint // net/http compares it this way
	switch {
	case abort:
	case v != nil:
		s.metrics.panics.Add(1)
		s.d.Log.Error("Handler panicked", "route", c.rec.Route, "request_id", c.rec.ID, "panic", v, "stack", string(debug.Stack()))
		if taken || c.w.Wrote() {
			abort = true // the answer is cut: the client must not take it for a whole one
			break
		}
		web.Error(&c.w, r, http.StatusInternalServerError)
	case !taken && !c.w.Wrote():
		c.w.WriteHeader(http.StatusOK)
	}
	if taken && c.rec.Status == 0 {
		c.rec.Status = http.StatusSwitchingProtocols
	}
	s.metrics.answered(c.rec.Status)
	if t.log != nil {
		s.log(t, r, &c.rec)
	}
	if abort {
		panic(http.ErrAbortHandler)
	}
	if !taken {
		linger(c, r)
	}
}

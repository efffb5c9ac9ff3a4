package web

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/internal/ident"
)

// Record is what the server knows about one request. The edge makes it before routing; authorizers and handlers add
// to it from the request's own goroutine, and the access log and the debug headers are written from it. It belongs to
// that goroutine and must not be kept after the handler has returned.
type Record struct {
	// ID is the request id; every request has one, used or not.
	ID string
	// Peer is the address of the client's end of the connection, IPv4-mapped addresses unmapped.
	Peer netip.Addr
	// Start is when the head was read.
	Start time.Time
	// Host is the host for routing, without port; empty when the request names none.
	Host string
	// RawHost is the host as sent, with port.
	RawHost string
	// Target is the raw origin-form target with query as it was routed: "/a%20b?c". "*" and authority form are "/"
	// for routing; see Form.
	Target string
	// Form tells how the target was written.
	Form Form
	// Suffix is what follows the matched route prefix in Target, query included.
	Suffix string
	// Route is the handler's name; NoRoute when nothing matched.
	Route string
	// Authorizer is the authorizer's name; empty without a route.
	Authorizer string
	// Allow and Deny are the authorizer's notes for the debug headers; Deny may also be a handler's.
	Allow []string
	Deny  string
	// FilePath is the file that a static handler looked at; empty for the others.
	FilePath string
	// Debug switches the X-Swindon-… headers on.
	Debug bool
	// ServerName is the Server header's value; empty for none.
	ServerName string
	// Status is what was answered, 0 until then. 101 for upgrades.
	Status int
	// Bytes counts the body bytes written.
	Bytes int64
}

// NoRoute is the value of Record.Route when no route matched.
const NoRoute = "-- no route --"

// Form is the form of a request target (RFC 9112 §3.2).
type Form int

// The forms of a request target.
const (
	FormOrigin Form = iota
	FormAbsolute
	FormAsterisk
	FormAuthority
)

type recordKey struct{}

// slot lets a connection's context carry the record of its current request, so that a request needs no context and
// no copy of its own. Only the connection's serving goroutine writes it.
type slot struct{ rec *Record }

// NewConnContext returns a context for one client connection in which SetRecord can put each request's record. It is
// meant for http.Server.ConnContext.
func NewConnContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, recordKey{}, &slot{})
}

// SetRecord makes rec the record of the request whose context is given. It returns false when the context does not
// descend from NewConnContext.
func SetRecord(ctx context.Context, rec *Record) bool {
	s, ok := ctx.Value(recordKey{}).(*slot)
	if ok {
		s.rec = rec
	}
	return ok
}

// WithRecord returns a context that carries rec; for tests and for requests that are not served by a connection.
func WithRecord(ctx context.Context, rec *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, &slot{rec: rec})
}

// RecordOf returns the record of a request. It is never nil: a request without one gets an empty record.
func RecordOf(r *http.Request) *Record {
	if s, ok := r.Context().Value(recordKey{}).(*slot); ok && s.rec != nil {
		return s.rec
	}
	return &Record{Target: r.URL.RequestURI(), Suffix: r.URL.RequestURI(), RawHost: r.Host, Host: r.Host, ID: strings.Repeat("0", ident.Len)}
}

// Decorate adds the headers that every response has: Server, and with Debug the X-Swindon-… headers (configuration
// §5.3). Handlers that write their own response head (upgrades) call it; for all others Writer does.
func (rec *Record) Decorate(h http.Header) {
	if rec.ServerName != "" {
		h["Server"] = []string{rec.ServerName}
	}
	if !rec.Debug {
		return
	}
	if rec.Route != "" {
		h["X-Swindon-Route"] = []string{rec.Route}
	}
	if rec.FilePath != "" {
		h["X-Swindon-File-Path"] = []string{quotePath(rec.FilePath)}
	}
	h["X-Swindon-Request-Id"] = []string{rec.ID}
	if rec.Authorizer != "" {
		h["X-Swindon-Authorizer"] = []string{rec.Authorizer}
	}
	if len(rec.Allow) > 0 {
		h["X-Swindon-Allow"] = []string{strings.Join(rec.Allow, ", ")}
	}
	if rec.Deny != "" {
		h["X-Swindon-Deny"] = []string{rec.Deny}
	}
}

// quotePath writes a path in double quotes with escapes for quote, backslash and control characters.
func quotePath(p string) string {
	if !strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' }) {
		return `"` + p + `"`
	}
	return strconv.Quote(p)
}

package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// Pool is what the API does for backends; *gateway.Pool is one. data is checked JSON and may be reused when Publish has
// returned. Errors are those of errors.go's table.
type Pool interface {
	Subscribe(ctx context.Context, id names.ConnID, t names.Topic) error
	Unsubscribe(ctx context.Context, id names.ConnID, t names.Topic) error
	Publish(ctx context.Context, t names.Topic, data []byte) error
	AttachLattice(ctx context.Context, id names.ConnID, ns names.Namespace, d *lattice.Delta) error
	DetachLattice(ctx context.Context, id names.ConnID, ns names.Namespace) error
	UpdateLattice(ctx context.Context, ns names.Namespace, d *lattice.Delta) error
	WatchUsers(ctx context.Context, id names.ConnID, users []names.UserID) error
	UnwatchUsers(ctx context.Context, id names.ConnID) error
	UpdateUsers(ctx context.Context, user names.UserID, users []names.UserID) error
	// Weak tells whether the Content-Type of requests is not looked at.
	Weak() bool
}

// Settings are the configured part of the API.
type Settings struct {
	// MaxPayloadSize bounds a request's body, in bytes; beyond: 413.
	MaxPayloadSize int64
	// Tokens are the bearer tokens of which a request must show one; none: the API is open.
	Tokens []names.Secret
	// Limits bound the lattices; beyond: 400.
	Limits lattice.Limits
	// Strict answers 404 to requests for connections that are gone, instead of 204 with a warning (decision D16).
	Strict bool
}

// Handler serves the API. It is immutable.
type Handler struct {
	pool     Pool
	settings func() Settings
	log      *slog.Logger
}

// NewHandler returns the API of a session pool. settings is asked at every request and must be cheap.
func NewHandler(p Pool, settings func() Settings, log *slog.Logger) *Handler {
	return &Handler{pool: p, settings: settings, log: log}
}

// ServeHTTP answers one request. Routing errors come before everything that concerns the body (protocol §6.1).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.settings()
	limitBody(w, r)
	if len(s.Tokens) > 0 && !authorized(r.Header["Authorization"], s.Tokens) {
		w.Header()["Www-Authenticate"] = []string{"Bearer"}
		h.status(w, http.StatusUnauthorized)
		return
	}
	target, ok := path(r)
	if !ok {
		h.status(w, http.StatusBadRequest)
		return
	}
	rt := route(r.Method, target)
	if rt.status != 0 {
		h.status(w, rt.status)
		return
	}
	q := request{Handler: h, s: &s, w: w, r: r, route: rt}
	q.serve() //nolint:contextcheck // It takes the request's.
}

// path returns the raw request target as a path; false when it has none: "*", or the authority of CONNECT.
func path(r *http.Request) (string, bool) {
	t := r.RequestURI
	if strings.HasPrefix(t, "/") {
		return t, true
	}
	_, rest, ok := strings.Cut(t, "://")
	if !ok || r.Method == http.MethodConnect {
		return "", false
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:], true
	}
	return "/", true
}

// authorized compares in a time that tells nothing about the tokens.
func authorized(lines []string, tokens []names.Secret) bool {
	if len(lines) != 1 {
		return false
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	match := 0
	for _, t := range tokens {
		want := sha256.Sum256([]byte(t.Reveal()))
		match |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return match == 1
}

// status answers with an empty body; an error's length is spelled out (protocol §6.1).
func (h *Handler) status(w http.ResponseWriter, code int) {
	if code != http.StatusNoContent {
		w.Header()["Content-Length"] = zero
	}
	w.WriteHeader(code)
}

var zero = []string{"0"}

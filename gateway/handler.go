package gateway

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// Subprotocol is what browsers ask for (protocol §1.2).
const Subprotocol = "v1.swindon-lattice+json"

// Handler is one !SwindonLattice route: it turns websocket handshakes into connections of a session pool. It is
// immutable; connections keep the one that accepted them.
type Handler struct {
	pool    *Pool
	methods Methods
	level   backend.Level
	plain   http.Handler
	origins []string
	headers []string
	remote  bool
	log     *slog.Logger
}

// NewHandler returns a route of the session pool p. Requests that are no websocket handshake go to plain; nil answers 404.
func NewHandler(cfg HandlerConfig, methods Methods, p *Pool, plain http.Handler, log *slog.Logger) *Handler {
	return &Handler{
		pool:    p,
		methods: methods,
		level:   backend.Level(cfg.Compatibility),
		plain:   plain,
		origins: cfg.AllowedOrigins,
		headers: cfg.ForwardHeaders,
		remote:  cfg.ForwardRemoteAddr,
		log:     log,
	}
}

// InForce tells that the route is one of the running configuration: its compatibility is the session pool's from now on.
func (h *Handler) InForce() { h.pool.level.Store(int32(h.level)) }

// ServeHTTP answers plain requests and bad handshakes, and takes good ones through authorization. It returns when the
// outcome is known; the connection lives on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch ws.Classify(r) {
	case ws.Plain:
		if h.plain == nil {
			web.Error(w, r, http.StatusNotFound)
			return
		}
		h.plain.ServeHTTP(w, r)
	case ws.Websocket:
		h.handshake(w, r)
	default:
		web.Error(w, r, http.StatusBadRequest)
	}
}

// handshake decides everything that can be answered without a backend.
func (h *Handler) handshake(w http.ResponseWriter, r *http.Request) {
	if len(h.origins) > 0 && !h.allowed(r.Header["Origin"]) {
		web.Error(w, r, http.StatusForbidden)
		return
	}
	protocol, ok := h.subprotocol(ws.Offered(r))
	if !ok {
		web.Error(w, r, http.StatusBadRequest)
		return
	}
	if !h.pool.admit() {
		web.ErrorWith(w, r, http.StatusServiceUnavailable, web.RetryAfter(1))
		return
	}
	defer h.pool.admitted()
	h.accept(w, r, protocol) //nolint:contextcheck // The connection outlives the request.
}

// allowed tells whether a handshake with these Origin headers may pass. Browsers always send exactly one.
func (h *Handler) allowed(origin []string) bool {
	return len(origin) == 1 && slices.ContainsFunc(h.origins, func(o string) bool { return strings.EqualFold(o, origin[0]) })
}

// subprotocol chooses what to answer to the client's offers: "" is no header. It is false when the handshake must be
// refused (protocol §1.2).
func (h *Handler) subprotocol(offered []string) (string, bool) {
	switch {
	case slices.Contains(offered, Subprotocol):
		return Subprotocol, true
	case len(offered) > 0:
		return "", true
	}
	return "", !h.level.NeedsSubprotocol()
}

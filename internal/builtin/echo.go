package builtin

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// echoLimit is the largest message that the echo takes; larger ones close with 1009.
const echoLimit = 10 << 20

// closeGrace is how long a client may take to answer a Close when the process stops.
const closeGrace = time.Second

// Echo is the !WebsocketEcho handler: it sends every text and binary message back, answers pings with pongs and a Close
// with its code (configuration §5.11). It negotiates no subprotocol, sends no pings and knows no idle timeout. A process
// has one, which knows its connections, so that they can be closed when the process stops.
type Echo struct {
	options ws.Options
	log     *slog.Logger

	mu       sync.Mutex // guards following
	conns    map[*ws.Conn]struct{}
	draining bool
	empty    chan struct{} // made by Drain, closed when the last of conns has left
}

// NewEcho returns the handler. group is shared with other websockets of the process; counters may be nil.
func NewEcho(group *ws.Group, counters *ws.Counters, log *slog.Logger) *Echo {
	return &Echo{
		options: ws.Options{MaxFrame: echoLimit, PingInterval: -1, Group: group, Counters: counters},
		log:     log,
		conns:   map[*ws.Conn]struct{}{},
	}
}

// ServeHTTP upgrades at once. Plain requests get 404, bad handshakes 400.
func (h *Echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch ws.Classify(r) {
	case ws.Plain:
		web.Error(w, r, http.StatusNotFound)
		return
	case ws.Bad:
		web.Error(w, r, http.StatusBadRequest)
		return
	case ws.Websocket:
	}
	c, err := ws.Take(w, r, h.options)
	if err != nil {
		h.log.Error("Cannot take over a connection", "err", err)
		web.Error(w, r, http.StatusInternalServerError)
		return
	}
	if err := c.Upgrade(""); err != nil {
		h.log.Debug("Websocket is gone before the handshake was answered", "err", err)
		c.Close(ws.CodeInternal, "")
		return
	}
	c.Release()
	h.enter(c)
	c.ServeAll(func(op ws.Opcode, payload []byte) error {
		return c.Send(ws.NewFrame(op, payload))
	}, func(int, string) { h.leave(c) })
}

func (h *Echo) enter(c *ws.Conn) {
	h.mu.Lock()
	h.conns[c] = struct{}{}
	draining := h.draining
	h.mu.Unlock()
	if draining {
		c.Close(ws.CodeGoingAway, "")
	}
}

func (h *Echo) leave(c *ws.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	if h.empty != nil && len(h.conns) == 0 {
		close(h.empty)
		h.empty = nil
	}
}

// Drain closes all connections with 1001 and returns when they have left or ctx ends. New ones are closed at once.
// Call it once.
func (h *Echo) Drain(ctx context.Context) {
	h.mu.Lock()
	h.draining = true
	conns := slices.Collect(maps.Keys(h.conns))
	if len(conns) == 0 {
		h.mu.Unlock()
		return
	}
	empty := make(chan struct{})
	h.empty = empty
	h.mu.Unlock()
	if h.options.Group != nil {
		h.options.Group.Hurry(closeGrace)
	}
	for _, c := range conns {
		c.Close(ws.CodeGoingAway, "")
	}
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

var _ http.Handler = (*Echo)(nil)

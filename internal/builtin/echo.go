package builtin

import (
	"log/slog"
	"net/http"

	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// echoLimit is the largest message that the echo takes; larger ones close with 1009.
const echoLimit = 10 << 20

// Echo is the !WebsocketEcho handler: it sends every text and binary message back, answers pings with pongs and a Close
// with its code (configuration §5.11). It negotiates no subprotocol, sends no pings and knows no idle timeout.
type Echo struct {
	options ws.Options
	log     *slog.Logger
}

// NewEcho returns the handler. group is shared with other websockets of the process; counters may be nil.
func NewEcho(group *ws.Group, counters *ws.Counters, log *slog.Logger) *Echo {
	return &Echo{
		options: ws.Options{MaxFrame: echoLimit, PingInterval: -1, Group: group, Counters: counters},
		log:     log,
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
	c.ServeAll(func(op ws.Opcode, payload []byte) error {
		return c.Send(ws.NewFrame(op, payload))
	}, func(int, string) {})
}

var _ http.Handler = (*Echo)(nil)

package proxy

import (
	"net/http"

	"github.com/swindon-go/swindon/internal/web"
)

type tunnel struct {
	done chan struct{}
}

func (t *tunnel) cut() {}

func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, x *exchange, rec *web.Record) {
}

func (d *Destination) unclaim(b *backend) {
	d.mu.Lock()
	b.tunnels--
	if d.tunnel.len > 0 {
		d.dispatch()
	}
	d.mu.Unlock()
}

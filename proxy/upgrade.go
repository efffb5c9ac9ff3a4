package proxy

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/swindon-go/swindon/internal/web"
)

// upgrade answers 101 as the backend did and joins the two connections. It returns at once: the server's memory for
// the request is free while the tunnel lives.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, x *exchange, rec *web.Record) {
	head := switchingHead(w, x, rec)
	if wanted, _ := x.join(x.conn); !wanted {
		x.head.keepAlive = false
		panic(http.ErrAbortHandler) // the client left
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		x.head.keepAlive = false
		h.log.Error("Connection cannot be taken over", "route", rec.Route, "err", err)
		web.Error(w, r, http.StatusInternalServerError)
		return
	}
	c := x.conn
	early, _ := buffered.Peek(buffered.Reader.Buffered())
	t := &tunnel{
		d: x.d, backend: c.backend, client: client, server: c.Conn,
		fromClientFirst: slices.Clone(early), fromServerFirst: append(head, c.unread()...),
		done: make(chan struct{}),
	}
	if !x.d.beginTunnel(c, t) {
		x.head.keepAlive = false
		_ = client.Close()
		return
	}
	x.conn = nil
	c.detach().free()
	_ = c.SetDeadline(time.Time{})
	rec.Status = http.StatusSwitchingProtocols
	t.start()
}

// switchingHead is the head of our 101: the backend's headers with those that every response of ours has.
func switchingHead(w http.ResponseWriter, x *exchange, rec *web.Record) []byte {
	fields := w.Header()
	x.head.copyTo(fields, "")
	fields["Connection"] = []string{"Upgrade"}
	for _, f := range x.head.fields {
		if http.CanonicalHeaderKey(f.name) == "Upgrade" {
			fields["Upgrade"] = []string{f.value}
		}
	}
	if fields["Date"] == nil {
		fields["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	}
	rec.Decorate(fields)
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = fields.Write(&b) // a bytes.Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

package edge

import (
	"context"
	"net"
	"net/netip"

	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/web"
)

// client is what the server keeps for one connection. Record and writer are used again for each of its requests, which
// come one after the other; so a request costs no allocation of ours but its id.
type client struct {
	conn *listen.Conn // nil when the connection is of another kind
	peer netip.Addr
	rec  web.Record
	w    web.Writer
}

type clientKey struct{}

// newClient returns the state for a connection, and its context.
func newClient(ctx context.Context, c net.Conn) context.Context {
	cl := &client{peer: addrOf(c.RemoteAddr())}
	if lc, ok := c.(*listen.Conn); ok {
		cl.conn = lc
		lc.RepairTargets()
	}
	ctx = web.NewConnContext(ctx)
	web.SetRecord(ctx, &cl.rec)
	return context.WithValue(ctx, clientKey{}, cl)
}

func clientOf(ctx context.Context) *client {
	c, _ := ctx.Value(clientKey{}).(*client)
	return c
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

package testkit

import (
	"net"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// NATS is a nats-server in the test process, which a test can take away and bring back.
type NATS struct {
	t       testing.TB
	options server.Options
	server  *server.Server
}

// NATS starts a server with JetStream in a temporary folder and sets the name to its address.
func (e *Env) NATS(name string) *NATS {
	e.T.Helper()
	n := &NATS{t: e.T, options: server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: e.T.TempDir(), DisableJetStreamBanner: true,
	}}
	n.Up()
	n.options.Port = n.server.Addr().(*net.TCPAddr).Port
	e.Set(name, n.server.Addr().String())
	e.T.Cleanup(n.Down)
	return n
}

// Up starts the server, on the same port as before.
func (n *NATS) Up() {
	n.t.Helper()
	options := n.options
	s, err := server.NewServer(&options)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(Patience) {
		n.t.Fatal("the NATS server does not start")
	}
	n.server = s
}

// Down stops the server.
func (n *NATS) Down() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// URL is the server's address for clients.
func (n *NATS) URL() string { return "nats://" + n.server.Addr().String() }

// Connect opens a client connection to any NATS server.
func Connect(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{nats.MaxReconnects(-1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

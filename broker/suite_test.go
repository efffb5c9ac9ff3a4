package broker

import (
	"log/slog"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/internal/names"
)

const otherNode = names.NodeID("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")

// TestSuiteEmbedded: one node in the process of the server, the other over its listener, both as user gateway.
func TestSuiteEmbedded(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T) (brokertest.Bus, brokertest.Bus) {
		t.Helper()
		a := open(t, listening(), testDeps(t))
		deps := testDeps(t)
		deps.Node = otherNode
		return a, open(t, asGateway(a), deps)
	})
}

// listening is the configuration of an embedded server with a listener.
func listening() Config {
	cfg := DefaultConfig()
	cfg.Listen = []string{"127.0.0.1:0"}
	return cfg
}

// asGateway is the configuration of a node that uses another one's embedded server.
func asGateway(b *Broker) Config {
	cfg := DefaultConfig()
	cfg.URL = []string{b.server.srv.ClientURL()}
	cfg.User, cfg.Password = gatewayUser, names.Secret(b.server.password)
	return cfg
}

// TestSuiteExternal: two nodes at an external server.
func TestSuiteExternal(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T) (brokertest.Bus, brokertest.Bus) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.URL = []string{external(t, natsserver.RANDOM_PORT).ClientURL()}
		deps := testDeps(t)
		deps.Log = slog.New(slog.DiscardHandler)
		a := open(t, cfg, deps)
		deps.Node = otherNode
		return a, open(t, cfg, deps)
	})
}

// external starts a server that is none of ours; it ends with the test.
func external(t *testing.T, port int) *natsserver.Server {
	t.Helper()
	srv, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		DisableJetStreamBanner: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("nats-server does not start")
	}
	return srv
}

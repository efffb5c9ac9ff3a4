package broker

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/swindon-go/swindon/internal/port"
)

// TestEpoch: a flush that speaks for another connection than the one a message was published on can be told by the epoch,
// whether the connection came back or was made anew; as long as there is one connection, the epoch stays.
func TestEpoch(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, b *Broker, srv *server.Server){
		"reconnect": func(t *testing.T, _ *Broker, srv *server.Server) {
			t.Helper()
			_, p, err := splitAddress(srv.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			srv.Shutdown()
			srv.WaitForShutdown()
			external(t, p)
		},
		"rebuild": func(t *testing.T, b *Broker, _ *server.Server) {
			t.Helper()
			if err := b.bus.conn.Load().Publish(strings.Repeat("x", 5000), nil); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := external(t, server.RANDOM_PORT)
			cfg := DefaultConfig()
			cfg.URL = []string{srv.ClientURL()}
			b := open(t, cfg, testDeps(t))
			epoch := b.Epoch()
			for range 3 {
				if err := b.Publish(port.Message{Subject: "sw.main.top.x"}); err != nil {
					t.Fatal(err)
				}
				if err := b.Flush(ctx(t)); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.Epoch(); got != epoch {
				t.Errorf("the epoch of one connection was %d and is %d", epoch, got)
			}
			lose(t, b, srv)
			await(t, b.bus, false)
			await(t, b.bus, true)
			// The publisher has slept through all this.
			if err := b.Flush(ctx(t)); err != nil {
				t.Errorf("Flush on the new connection: %v", err)
			}
			if got := b.Epoch(); got == epoch {
				t.Errorf("the epoch is still %d", epoch)
			}
		})
	}
}

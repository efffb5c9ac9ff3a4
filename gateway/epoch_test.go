package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// blinking is a bus whose connection may be lost and back before a flush, as when the process stood still.
type blinking struct {
	*memory.Bus
	blink bool
}

func (b *blinking) Flush(ctx context.Context) error {
	if b.blink {
		b.SetDown(true)
		b.SetDown(false)
	}
	return b.Bus.Flush(ctx)
}

// TestNoReceiptOfAnotherConnection: when the connection to NATS was lost and is back between handing a message over and
// the receipt, neither a publish over HTTP nor one over NATS is acknowledged (guarantees, G6).
func TestNoReceiptOfAnotherConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		bus := &blinking{Bus: network.Join()}
		space, err := names.NewSpace("sw", "main")
		if err != nil {
			t.Fatal(err)
		}
		m, err := gateway.NewMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		pool, err := gateway.NewPool("main", gateway.DefaultConfig(), gateway.Deps{
			Node: nodeID(1), NextConn: func() uint64 { return 1 }, Bus: bus, Space: space,
			Destinations: func(string) (backend.Destination, bool) { return backend.Destination{}, false },
			IDs:          ident.New(time.Now), Log: slog.New(slog.DiscardHandler), Metrics: m,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Stop)
		outside := network.Join()
		for _, blink := range []bool{false, true, false} {
			bus.blink = blink
			err := pool.Publish(t.Context(), "t", []byte("1"))
			if blink != errors.Is(err, port.ErrTimeout) || !blink && err != nil {
				t.Errorf("lost and back %v: over HTTP: %v", blink, err)
			}
			reply, err := outside.Request(t.Context(), port.LaneCalls, port.Message{Subject: "sw.main.pub.t", Data: []byte("1")})
			if code := reply.Header.Get(port.HeaderErrorCode); err != nil || blink != (code == "503") || !blink && code != "" {
				t.Errorf("lost and back %v: over NATS: code %q, %v", blink, code, err)
			}
		}
	})
}

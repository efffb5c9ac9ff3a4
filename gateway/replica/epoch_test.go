package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// changingBus gets another connection while it is flushed, if change is set.
type changingBus struct {
	*memory.Bus
	change atomic.Bool
	epoch  atomic.Uint64
}

func (b *changingBus) Epoch() uint64 { return b.epoch.Load() }

func (b *changingBus) Flush(ctx context.Context) error {
	if b.change.Load() {
		b.epoch.Add(1)
	}
	return b.Bus.Flush(ctx)
}

// TestReceiptOfAnotherConnection: an update whose announcement may have gone with a lost connection is not acknowledged
// because the next connection can be flushed; repeated, it is.
func TestReceiptOfAnotherConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bus := &changingBus{Bus: memory.NewNetwork(0).Join()}
		set, err := replica.New(replica.Deps{
			Node: "node", Space: space(), Bus: bus, Store: bus.Store("main"), Live: func() []names.NodeID { return nil },
			Limits: lattice.DefaultLimits, Log: slog.New(slog.DiscardHandler), Metrics: &replica.Metrics{},
		}, replica.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer set.Stop()
		for _, body := range []string{
			`{"shared":{"k":{"n_counter":1}}}`, `{"shared":{"k":{"n_counter":2}},"private":{"ann":{"k":{}}}}`,
		} {
			bus.change.Store(true)
			if err := set.Update(t.Context(), ns, parse(t, body)); !errors.Is(err, port.ErrTimeout) {
				t.Errorf("%s: %v", body, err)
			}
			bus.change.Store(false)
			if err := set.Update(t.Context(), ns, parse(t, body)); err != nil {
				t.Errorf("%s again: %v", body, err)
			}
		}
	})
}

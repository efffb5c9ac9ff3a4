package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestMeet: a node waits for one that comes later, takes it for alive from then on, and names those that never come.
func TestMeet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		none := func(string) (backend.Destination, bool) { return backend.Destination{}, false }
		network := memory.NewNetwork(0)
		first := startNodeWith(t, 1, newSetup(t), network, none)
		met := make(chan []names.NodeID, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			met <- first.pool.Meet(ctx, []names.NodeID{nodeID(2), nodeID(3)})
		}()
		time.Sleep(time.Second)
		second := startNodeWith(t, 2, newSetup(t), network, none)
		second.bus.SetDrop(func(m port.Message) bool { return strings.HasSuffix(m.Subject, ".beat") })
		start := time.Now()
		if missing := <-met; len(missing) != 1 || missing[0] != nodeID(3) {
			t.Errorf("missing %v, want node 3", missing)
		}
		if waited := time.Since(start); waited != 4*time.Second {
			t.Errorf("waited %v for node 3", waited)
		}
		second.pool.Stop() // and nobody hears that it leaves
		for id, want := range map[names.NodeID]error{nodeID(2): port.ErrTimeout, nodeID(3): port.ErrGone} {
			if err := first.pool.Subscribe(t.Context(), names.ConnID{Node: id, N: 1}, "t"); !errors.Is(err, want) {
				t.Errorf("a connection of %s: %v, want %v", id, err, want)
			}
		}
	})
}

// TestMeetLostPing: a ping whose answer is lost is sent again.
func TestMeetLostPing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		none := func(string) (backend.Destination, bool) { return backend.Destination{}, false }
		network := memory.NewNetwork(0)
		first := startNodeWith(t, 1, newSetup(t), network, none)
		second := startNodeWith(t, 2, newSetup(t), network, none)
		synctest.Wait()
		second.bus.SetDrop(func(port.Message) bool { return true })
		time.AfterFunc(400*time.Millisecond, func() { second.bus.SetDrop(nil) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if missing := first.pool.Meet(ctx, []names.NodeID{second.id}); len(missing) > 0 {
			t.Errorf("missing %v", missing)
		}
		if waited := time.Since(start); waited < 400*time.Millisecond || waited > time.Second {
			t.Errorf("met after %v", waited)
		}
	})
}

package presence_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/internal/names"
)

// TestLostStoreOverReplica: the whole way from a store that comes back empty to the record. The node that wrote last is
// cut off for ever at that moment.
func TestLostStoreOverReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		space, err := names.NewSpace("sw", "main")
		if err != nil {
			t.Fatal(err)
		}
		w := &whole{space: space}
		net := memory.NewNetwork(0)
		for range 3 {
			w.start(t, net, false)
		}
		time.Sleep(11 * time.Second)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		a.join(t, "ann", 10*time.Minute)
		c.join(t, "ann", 11*time.Minute) // by more than ten seconds: it is written
		time.Sleep(time.Second)
		before := a.stored(t, "ann")
		c.w.mu.Lock()
		c.down = true
		c.w.mu.Unlock()
		c.bus.SetDown(true)
		net.Store("main").Restore(memory.Backup{})
		if got := b.stored(t, "ann"); got != "" {
			t.Fatalf("the store has %s", got)
		}
		time.Sleep(10 * time.Second) // the loss is found within 7 s; the seat of c may be emptied by then
		got, err := presence.Parse([]byte(b.stored(t, "ann")))
		if err != nil {
			t.Error(err)
		}
		was, err := presence.Parse([]byte(before))
		if err != nil || got.Status != was.Status || got.Until != was.Until || len(got.Seats) != 2 {
			t.Errorf("the store has %+v, want %+v, %v", got, was, err)
		}
		time.Sleep(30 * time.Second)
		if s := b.status(t, "ann"); s != "active" {
			t.Errorf("after: %s", s)
		}
		for _, n := range w.nodes {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			n.t.Stop(ctx)
			cancel()
			n.end()
		}
		if len(w.sent) > 0 {
			t.Errorf("sent %v", w.sent)
		}
	})
}

// stored is what the store has of a user.
func (n *real) stored(t *testing.T, u names.UserID) string {
	t.Helper()
	values, err := n.set.LoadRecords(t.Context(), []names.UserID{u})
	if err != nil {
		t.Fatal(err)
	}
	return string(values[0])
}

package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
)

// TestDrainIsSpread closes 300 connections over 0.3 s, in the order in which Drain finds them, not all at once.
func TestDrainIsSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := instant{http.Header{"Content-Type": {"application/json"}}}
		s := newSetup(t)
		s.pool.MaxConnectionsPerUser = 1000
		nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
			return backend.Destination{HTTP: d}, true
		})
		const n = 300
		clients := make([]*client, n)
		for i := range clients {
			clients[i] = open(t, nd.listener, "/ws", nil)
		}
		synctest.Wait()
		closed := func() (count int) {
			for _, c := range clients {
				c.mu.Lock()
				for _, e := range c.events {
					if strings.HasPrefix(e, "close 1001") {
						count++
					}
				}
				c.mu.Unlock()
			}
			return count
		}
		if got := nd.pool.Connections(); got != n || closed() != 0 {
			t.Fatalf("%d connections, %d closed", got, closed())
		}
		done := make(chan struct{})
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			nd.pool.Drain(ctx)
			close(done)
		}()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := closed(); got < n/4 || got > n/2 {
			t.Errorf("after a third of the time %d of %d are closed", got, n)
		}
		time.Sleep(200 * time.Millisecond)
		<-done
		if got := closed(); got != n {
			t.Errorf("%d of %d were closed with 1001", got, n)
		}
	})
}

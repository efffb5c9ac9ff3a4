package gateway_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
)

// TestManyCallsAtOnce has many connections call at the same time, with the race detector in mind: every call is answered
// to the connection that made it, also when reading pauses and resumes all the time, and Stop leaves no goroutine
// (TestMain).
func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{100, 2, 1} {
		t.Run(fmt.Sprintf("%d in flight", limit), func(t *testing.T) {
			t.Parallel()
			manyCalls(t, limit)
		})
	}
}

func manyCalls(t *testing.T, limit int) {
	t.Helper()
	d := instant{http.Header{"Content-Type": {"application/json"}}}
	s := newSetup(t)
	s.pool.MaxCallsInFlight = limit
	nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: d}, true
	})
	var wg sync.WaitGroup
	for g := range 20 {
		c, r := connect(t, nd)
		wg.Go(func() {
			const window, rounds = 8, 20
			for k := range rounds {
				seen := map[string]bool{}
				for i := range window {
					c.send(0x81, fmt.Appendf(nil, `["m",{"request_id":"%d-%d-%d"},[],{}]`, g, k, i))
				}
				for range window {
					_, p, err := readFrame(r)
					if err != nil {
						t.Errorf("client %d: %v", g, err)
						return
					}
					seen[string(p)] = true
				}
				for i := range window {
					if want := fmt.Sprintf(`["result",{"request_id":"%d-%d-%d"},{"ok":true}]`, g, k, i); !seen[want] {
						t.Errorf("client %d has not got %s", g, want)
					}
				}
			}
		})
	}
	wg.Wait()
}

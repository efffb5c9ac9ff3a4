package replica_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// benchNode is one node over a store in memory, outside of any bubble.
func benchNode(b *testing.B) *node {
	b.Helper()
	c := newBenchCluster(b)
	n := c.nodes[0]
	for !n.set.Ready() {
		time.Sleep(time.Millisecond)
	}
	b.Cleanup(c.stop)
	return n
}

// BenchmarkUpdate is an update that nobody here looks at, with all that a store in memory costs: of one key by many
// writers, and of many keys.
func BenchmarkUpdate(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			n := benchNode(b)
			b.SetParallelism(64)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					body := fmt.Appendf(nil, `{"shared":{"k%d":{"n_counter":%d}}}`, i%keys, i)
					d, err := lattice.ParseDelta(body, 0, lattice.DefaultLimits())
					if err == nil {
						err = n.set.Update(context.Background(), ns, d)
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

type counter struct{ changes int }

func (c *counter) Changed(*replica.Change) { c.changes++ }

// BenchmarkDelivery is an update of a shared key that many users of this node see: the time per user.
func BenchmarkDelivery(b *testing.B) {
	for _, users := range []int{100, 5000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			n := benchNode(b)
			body := []byte(`{"private":{`)
			for i := range users {
				if i > 0 {
					body = append(body, ',')
				}
				body = fmt.Appendf(body, `"u%d":{"k":{}}`, i)
			}
			n.update(string(body) + "}}")
			var w counter
			for i := range users {
				v, err := n.set.Open(context.Background(), ns, names.UserID(fmt.Sprintf("u%d", i)))
				if err != nil {
					b.Fatal(err)
				}
				v.Attach(&w, nil)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				n.update(fmt.Sprintf(`{"shared":{"k":{"n_counter":%d}}}`, i))
			}
			if w.changes != i*users {
				b.Errorf("%d changes, want %d", w.changes, i*users)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(w.changes), "ns/user")
		})
	}
}

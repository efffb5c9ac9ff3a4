package memory_test

import (
	"testing"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/broker/memory"
)

func TestStoreSuite(t *testing.T) {
	t.Parallel()
	brokertest.RunStore(t, func(*testing.T) brokertest.Stores {
		n := memory.NewNetwork(0)
		return brokertest.Stores{A: n.Join().Store("main"), B: n.Join().Store("main")}
	})
}

// TestStoreSuiteLagging: a replica that lags keeps all promises but to be up to date.
func TestStoreSuiteLagging(t *testing.T) {
	t.Parallel()
	brokertest.RunStore(t, func(*testing.T) brokertest.Stores {
		n := memory.NewNetwork(0)
		n.Store("main").SetLag(1e6)
		return brokertest.Stores{A: n.Join().Store("main"), B: n.Join().Store("main"), Lag: true}
	})
}

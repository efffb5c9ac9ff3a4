package broker

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/internal/names"
)

// pools gives each test of a suite a bucket of its own on one fabric: a session pool that two nodes learn of.
func pools(a, b *Broker, lag bool) func(t *testing.T) brokertest.Stores {
	var n atomic.Int64
	return func(t *testing.T) brokertest.Stores {
		t.Helper()
		pool := names.Pool(fmt.Sprint("pool", n.Add(1)))
		return brokertest.Stores{A: awaitStore(t, a, pool), B: awaitStore(t, b, pool), Lag: lag}
	}
}

// awaitStore returns the bucket of a session pool when it is there.
func awaitStore(t *testing.T, b *Broker, pool names.Pool) *Store {
	t.Helper()
	s := b.Store(pool)
	for c := ctx(t); !s.Ready(); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-c.Done():
			t.Fatalf("bucket of pool %s is not made", pool)
		}
	}
	return s
}

func quiet(t *testing.T, node names.NodeID) Deps {
	t.Helper()
	deps := testDeps(t)
	deps.Node, deps.Log = node, slog.New(slog.DiscardHandler)
	return deps
}

// TestStoreSuiteEmbedded: both nodes are user gateway, so that its permissions are enough for everything.
func TestStoreSuiteEmbedded(t *testing.T) {
	t.Parallel()
	a := open(t, listening(), quiet(t, testNode))
	brokertest.RunStore(t, pools(a, open(t, asGateway(a), quiet(t, otherNode)), false))
}

func TestStoreSuiteExternal(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.URL = []string{external(t, natsserver.RANDOM_PORT).ClientURL()}
	brokertest.RunStore(t, pools(open(t, cfg, quiet(t, testNode)), open(t, cfg, quiet(t, otherNode)), false))
}

// TestStoreSuiteCluster: three servers, each of which keeps a copy of every bucket; the nodes are at two of them. It
// runs alone: the servers have elections when they get no time.
func TestStoreSuiteCluster(t *testing.T) {
	c := brokertest.Cluster(t, 3)
	cfg := DefaultConfig()
	cfg.URL = []string{c.URL(0)}
	a := open(t, cfg, quiet(t, testNode))
	cfg.URL = []string{c.URL(1)}
	b := open(t, cfg, quiet(t, otherNode))
	t.Run("suite", func(t *testing.T) { brokertest.RunStore(t, pools(a, b, true)) })
	if c.Leader(names.Bucket("sw_pool1_lat").Stream()) < 0 {
		t.Error("nobody leads the bucket")
	}
}

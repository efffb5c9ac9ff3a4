package broker

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		serveUntilKilled() // the child of TestKilledProcessLeavesNothing
		return
	}
	// A server of a test that is shut down while a broker's request for a bucket is under way leaves these two of that
	// bucket's store behind. Ours has its buckets before Open returns.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}

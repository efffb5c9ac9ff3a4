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
	goleak.VerifyTestMain(m)
}

package integration

import (
	"os"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

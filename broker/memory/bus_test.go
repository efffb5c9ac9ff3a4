package memory_test

import (
	"testing"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/broker/memory"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(*testing.T) (brokertest.Bus, brokertest.Bus) {
		n := memory.NewNetwork(0)
		return n.Join(), n.Join()
	})
}

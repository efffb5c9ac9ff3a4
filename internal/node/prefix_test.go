package node

import (
	"testing"

	"github.com/swindon-go/swindon/internal/names"
)

// TestPrefixOfAddedPools: session pools that come with a reload use the prefix that NATS was started with, whatever the
// files have said before or say now.
func TestPrefixOfAddedPools(t *testing.T) {
	t.Parallel()
	const app = `
listen: [127.0.0.1:0]
http-destinations: {app: {addresses: [127.0.0.1:1]}}
`
	n := startNode(t, app)
	for _, text := range []string{
		"nats: {prefix: first}\nsession-pools: {a: {}}",
		"nats: {prefix: second}\nsession-pools: {a: {}, b: {}}",
		"nats: {prefix: second}\nsession-pools: {a: {}, b: {}, c: {}}",
	} {
		if err := n.Reload(t.Context(), load(t, app+text)); err != nil {
			t.Fatal(err)
		}
		for name, p := range n.pools {
			if err := p.pool.Publish(t.Context(), names.Topic("t"), []byte("1")); err != nil {
				t.Errorf("%s: session pool %s: %v", text, name, err)
			}
		}
	}
	if len(n.pools) != 3 {
		t.Errorf("%d session pools", len(n.pools))
	}
}

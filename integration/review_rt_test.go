package integration

import (
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// TestMeshAtOnce starts both nodes at the same time and uses them as soon as they listen, as the original's suite does:
// what the wrong node accepts must have happened on the right one, and publishes must reach both.
func TestMeshAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		env, other := testkit.New(t), testkit.New(t)
		backend := env.Backend("BACKEND")
		other.Set("BACKEND", env.Addr("BACKEND"))
		env.Set("PEER", other.Addr("REPL"))
		other.Set("PEER", env.Addr("REPL"))
		first, second := &chat{Env: env, t: t, backend: backend}, &chat{Env: other, t: t, backend: backend}
		for _, c := range []*chat{first, second} {
			c.node = c.Launch(testkit.Binary(t, "cmd/swindon"), "--config", c.File("swindon.yaml", natsConfig+meshConfig))
		}
		for _, c := range []*chat{first, second} {
			c.node.AwaitAddr(c.Addr("HTTP"))
			c.node.AwaitAddr(c.Addr("API"))
		}
		ws, id := first.connect("ann")
		second.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
		first.accepted("POST", "/v1/publish/a", `1`)
		ws.Want(`["message",{"topic":"a"},1]`)
		second.accepted("POST", "/v1/publish/a", `2`)
		ws.Want(`["message",{"topic":"a"},2]`)
		second.accepted("DELETE", "/v1/connection/"+id+"/subscriptions/a", "")
		first.accepted("POST", "/v1/publish/a", `3`)
		second.accepted("POST", "/v1/publish/a", `4`)
		ws.Silent()
		first.node.Kill()
		second.node.Kill()
	}
}

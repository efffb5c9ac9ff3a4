package integration

import (
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// The original's two-node file: nodes that name each other in the section replication (decision D45).
const meshConfig = `
replication:
  listen: [${REPL}]
  peers: [${REPL}, ${PEER}]
  token: secret
`

func TestMesh(t *testing.T) {
	t.Parallel()
	env, other := testkit.New(t), testkit.New(t)
	backend := env.Backend("BACKEND")
	other.Set("BACKEND", env.Addr("BACKEND"))
	env.Set("PEER", other.Addr("REPL"))
	other.Set("PEER", env.Addr("REPL"))
	first, second := &chat{Env: env, t: t, backend: backend}, &chat{Env: other, t: t, backend: backend}
	first.node = env.Start(natsConfig + meshConfig)
	second.node = other.Start(natsConfig + meshConfig)
	for _, c := range []*chat{first, second} {
		c.node.AwaitAddr(c.Addr("API"))
		c.node.AwaitAddr(c.Addr("ADMIN"))
		c.awaitReady(200)
	}
	ws, id := first.connect("ann")
	probe, probeID := second.connect("bob")
	second.accepted("PUT", "/v1/connection/"+probeID+"/subscriptions/probe", "")
	// Nobody tells when the two have found each other but a command that arrives.
	testkit.Eventually(t, "the nodes know each other", func() bool {
		r := second.api("PUT", "/v1/connection/"+id+"/subscriptions/probe", "")
		return r.Status == 204 && r.Get("X-Swindon-Warning") == ""
	})
	for i := range 20 {
		topic := strings.Repeat("m", i+1)
		second.accepted("PUT", "/v1/connection/"+id+"/subscriptions/"+topic, "")
		first.accepted("POST", "/v1/publish/"+topic, `1`)
		ws.Want(`["message",{"topic":"` + topic + `"},1]`)
	}
	second.accepted("POST", "/v1/publish/probe", `2`)
	ws.Want(`["message",{"topic":"probe"},2]`)
	probe.Want(`["message",{"topic":"probe"},2]`)
	first.accepted("POST", "/v1/publish/probe", `3`)
	ws.Want(`["message",{"topic":"probe"},3]`)
	probe.Want(`["message",{"topic":"probe"},3]`)
	ws.Silent()
	probe.Silent()
	// The one that stays goes on alone.
	first.node.Kill()
	second.accepted("POST", "/v1/publish/probe", `4`)
	probe.Want(`["message",{"topic":"probe"},4]`)
}

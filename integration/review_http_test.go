package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// TestStopDoesNotWaitForSilentClients stops while clients do nothing more: one in the middle of a request's head, one
// that does not answer a Close of the gateway, one that does not answer that of the echo.
func TestStopDoesNotWaitForSilentClients(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	half := testkit.Dial(t, c.Addr("HTTP"))
	half.Send("GET / HTTP/1.1\r\nHost: local")
	c.connect("ann")
	env := testkit.New(t)
	echo := env.Start("listen: [${HTTP}]\nrouting: {localhost/echo: echo}\nhandlers:\n  echo: !WebsocketEcho\n")
	testkit.Open(t, env.Addr("HTTP"), "/echo")
	for name, p := range map[string]*testkit.Process{"gateway": c.node, "echo": echo} {
		start := time.Now()
		p.Signal(syscall.SIGTERM)
		if code := p.Wait(); code != 0 {
			t.Errorf("%s: exit status %d", name, code)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
	half.Closed()
}

package integration

import (
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A call over NATS that is in flight at SIGTERM is answered before its connection is closed, and NATS stays up for it,
// although nobody waits for it in the process (decision D41).
func TestNATSCallInFlightAtStop(t *testing.T) {
	t.Parallel()
	c := startNATS(t, strings.Replace(natsConfig, "max-request-timeout: 300ms", "max-request-timeout: 10s", 1)+embeddedNATS)
	nc := testkit.Connect(t, "nats://"+c.Addr("NATS"))
	calls := make(chan micro.Request, 10)
	service(t, nc, calls)
	ws, _ := c.connect("ann")
	idle, _ := c.connect("bob")
	ws.SendText(`["pizza.order",{"request_id":1},[],{}]`)
	call := nextCall(t, calls)
	c.node.Signal(syscall.SIGTERM)
	idle.Closes(1001, "going_away") // the node is draining
	if err := call.Respond([]byte(`{"eta":20}`)); err != nil {
		t.Error(err)
	}
	ws.Want(`["result",{"request_id":1},{"eta":20}]`)
	ws.Closes(1001, "going_away")
	if code := c.node.Wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.node.Stderr.String())
	}
}

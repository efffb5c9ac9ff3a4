package gateway_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/port"
)

// panicking authorizes everybody and panics at calls of "boom".
type panicking struct{ instant }

func (d panicking) Call(ctx context.Context, c *port.Call) (port.Reply, error) {
	if strings.HasSuffix(c.Path, "/boom") {
		panic("boom")
	}
	return d.instant.Call(ctx, c)
}

// TestDefectClosesOneConnection sees that a defect in the handling of a call ends that connection with 1011 and nothing
// else.
func TestDefectClosesOneConnection(t *testing.T) {
	t.Parallel()
	d := panicking{instant{http.Header{"Content-Type": {"application/json"}}}}
	nd := startNodeWith(t, 1, newSetup(t), memory.NewNetwork(0), func(string) (backend.Destination, bool) {
		return backend.Destination{HTTP: d}, true
	})
	c, r := connect(t, nd)
	other, or := connect(t, nd)
	c.send(0x81, []byte(`["boom",{"request_id":1},[],{}]`))
	op, p, err := readFrame(r)
	if err != nil || op != 8 || binary.BigEndian.Uint16(p) != 1011 {
		t.Errorf("got opcode %d, %q, %v; want Close 1011", op, p, err)
	}
	c.send(0x88, p)
	for i := range 2 {
		other.send(0x81, fmt.Appendf(nil, `["m",{"request_id":%d},[],{}]`, i))
		if _, p, err := readFrame(or); err != nil || string(p) != fmt.Sprintf(`["result",{"request_id":%d},{"ok":true}]`, i) {
			t.Errorf("the other connection got %q, %v", p, err)
		}
	}
}

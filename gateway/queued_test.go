package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/port"
)

// queuing authorizes everybody and has every call wait until it is let go or gives up.
type queuing struct {
	instant

	waiting *atomic.Int64 // calls that are under way
	let     chan *port.Call
}

func (d queuing) Call(ctx context.Context, c *port.Call) (port.Reply, error) {
	if strings.HasSuffix(c.Path, "/authorize_connection") {
		return d.instant.Call(ctx, c)
	}
	if c.Place == nil {
		d.waiting.Add(1)
		left := new(atomic.Bool)
		ready := c.Ready
		c.Place = left
		c.Queued(func() {
			if !left.Swap(true) {
				ready()
			}
		})
		d.let <- c
		return port.Reply{}, port.ErrQueued
	}
	d.waiting.Add(-1)
	c.Place = nil
	if err := ctx.Err(); err != nil {
		return port.Reply{}, err
	}
	c.BeforeWait()
	return d.instant.Call(ctx, c)
}

// free tells a call that a backend is free.
func free(c *port.Call) {
	left, _ := c.Place.(*atomic.Bool)
	if !left.Swap(true) {
		c.Ready()
	}
}

// TestQueuedCalls: a call that waits for a free backend goes on when it is told, and ends at once when its client leaves
// or the session pool stops.
func TestQueuedCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := queuing{instant{http.Header{"Content-Type": {"application/json"}}}, new(atomic.Int64), make(chan *port.Call, 10)}
		nd := startNodeWith(t, 1, newSetup(t), memory.NewNetwork(0), func(string) (backend.Destination, bool) {
			return backend.Destination{HTTP: d}, true
		})
		c, r := connect(t, nd)
		for _, id := range []string{"1", "2"} {
			c.send(0x81, []byte(`["m",{"request_id":`+id+`},[],{}]`))
			free(<-d.let)
			if _, p, err := readFrame(r); err != nil || string(p) != `["result",{"request_id":`+id+`},{"ok":true}]` {
				t.Errorf("got %q, %v", p, err)
			}
		}
		other, _ := connect(t, nd)
		for range 5 {
			c.send(0x81, []byte(`["m",{"request_id":3},[],{}]`))
			other.send(0x81, []byte(`["m",{"request_id":4},[],{}]`))
		}
		synctest.Wait()
		if got := d.waiting.Load(); got != 10 {
			t.Errorf("%d calls wait, want 10", got)
		}
		_ = c.conn.Close()
		synctest.Wait()
		if got := d.waiting.Load(); got != 5 {
			t.Errorf("%d calls wait after one client has left, want 5", got)
		}
		nd.pool.Stop()
		if got := d.waiting.Load(); got != 0 {
			t.Errorf("%d calls wait after the end", got)
		}
	})
}

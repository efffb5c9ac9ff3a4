package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// moody is a destination that takes its time, refuses some and loses some.
type moody struct{}

func (moody) Call(ctx context.Context, c *port.Call) (port.Reply, error) {
	t := time.NewTimer(rand.N(20 * time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return port.Reply{}, ctx.Err()
	}
	r := port.Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte("1")}
	switch n := rand.IntN(10); {
	case n == 0:
		return r, errors.New("connection reset")
	case n == 1:
		r.Status = 403
	case strings.HasSuffix(c.Path, "authorize_connection"):
		r.Body = fmt.Appendf(nil, `{"user_id":"u%d"}`, rand.IntN(5))
	}
	return r, nil
}

// TestChurn lets clients come, call, be subscribed through the right and the wrong node, be published to, kicked and
// leave at any moment, on two nodes. At the end nothing of them is left anywhere (protocol §12.3, items 3, 4 and 16).
func TestChurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := memory.NewNetwork(0)
		outside := network.Join()
		nodes := make([]*node, 2)
		for i := range nodes {
			s := newSetup(t)
			s.pool.MaxConnectionsPerUser = 3
			s.pool.NewConnectionIdleTimeout = time.Second
			s.pool.InactivityHandlers = []names.Destination{{Name: "main", Path: "/"}}
			nodes[i] = startNodeWith(t, i+1, s, network, func(string) (backend.Destination, bool) {
				return backend.Destination{HTTP: moody{}}, true
			})
		}
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 3))
				for range 30 {
					visit(t, r, nodes, outside)
				}
			})
		}
		wg.Wait()
		// Every session's time passes, every notice gets its answer.
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		for i, nd := range nodes {
			for _, level := range []string{"connections", "topics", "active_sessions", "inactive_sessions"} {
				if n := nd.stat(level); n != 0 {
					t.Errorf("node %d: %s = %d", i+1, level, n)
				}
			}
			if c, s := nd.pool.Stats(); c != 0 || s != 0 {
				t.Errorf("node %d has %d connections and %d sessions", i+1, c, s)
			}
			if nd.stat("connects") == 0 || nd.stat("output_messages") == 0 {
				t.Errorf("node %d has done nothing", i+1)
			}
		}
	})
}

// visit is one client's life.
func visit(t *testing.T, r *rand.Rand, nodes []*node, outside *memory.Bus) {
	t.Helper()
	home := r.IntN(2)
	pause := func(d time.Duration) { time.Sleep(time.Duration(r.Int64N(int64(d)))) }
	c := open(t, nodes[home].listener, "/ws", nil)
	pause(30 * time.Millisecond)
	for range r.IntN(6) {
		// Numbers are not known here: some are of others, some of nobody.
		id := names.ConnID{Node: nodeID(home + 1), N: r.Uint64N(250)}
		topic := names.Topic(fmt.Sprintf("t%d", r.IntN(4)))
		ctx := t.Context()
		var err error
		switch r.IntN(6) {
		case 0, 1:
			err = nodes[r.IntN(2)].pool.Subscribe(ctx, id, topic)
		case 2:
			err = nodes[r.IntN(2)].pool.Unsubscribe(ctx, id, topic)
		case 3:
			err = nodes[r.IntN(2)].pool.Publish(ctx, topic, []byte(`"x"`))
		case 4:
			c.send(0x81, []byte(`["m",{"request_id":1,"active":1},[],{}]`))
		case 5:
			_, err = outside.Request(ctx, port.LaneOrdered, port.Message{
				Subject: fmt.Sprintf("sw.main.conn.%s.%d.kick", id.Node, id.N),
			})
		}
		if err != nil && !errors.Is(err, port.ErrGone) {
			t.Errorf("%v", err)
		}
		pause(10 * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		c.send(0x88, nil)
		pause(5 * time.Millisecond)
	}
	_ = c.conn.Close()
}

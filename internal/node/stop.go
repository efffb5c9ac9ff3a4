package node

import (
	"context"
	"sync"
)

// Stop ends the node from the outside in (decision D41): not ready, no new connections, idle ones closed, requests and
// calls in flight finish, websockets 1001, then destinations and NATS. It takes as long as ctx allows; what is not done
// by then is cut.
func (n *Node) Stop(ctx context.Context) {
	n.log.Info("Stopping")
	n.stop(ctx)
	n.log.Info("Stopped")
}

// stop undoes whatever of Start has been done.
func (n *Node) stop(ctx context.Context) {
	n.ready.Store(false)
	if n.main != nil {
		n.main.Close()
	}
	// Websockets have left the HTTP server: both wait for their own at the same time. Only requests that are being
	// authorized are in both.
	var wg sync.WaitGroup
	if n.edge != nil {
		wg.Go(func() {
			if n.edge.Drain(ctx) != nil {
				_ = n.edge.Close()
			}
		})
	}
	wg.Go(func() { n.echo.Drain(ctx) })
	n.drainPools(ctx)
	wg.Wait()
	n.dests.close(ctx)
	n.end()
	n.retiring.Wait()
	if b := n.broker.Load(); b != nil {
		b.Close(ctx)
	}
	// Last, so that an operator sees the node stopping.
	if n.admin != nil {
		n.admin.stop(ctx)
	}
}

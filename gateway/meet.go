package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// pingTimeout bounds one ping of Meet. One that was lost with a connection that two nodes made twice is sent again.
const pingTimeout = 250 * time.Millisecond

// Meet returns when all of the nodes have answered, or ctx ends. From then on each knows the other's interest, so that
// commands and publishes of this node reach them, and theirs this one: interest and messages keep their order. Without
// it a node that has just joined a mesh would take connections of the others for gone. It returns those that have not
// answered.
func (p *Pool) Meet(ctx context.Context, ids []names.NodeID) (missing []names.NodeID) {
	var (
		mu sync.Mutex // guards missing
		wg sync.WaitGroup
	)
	for _, id := range ids {
		wg.Go(func() {
			if p.ping(ctx, id) != nil {
				mu.Lock()
				missing = append(missing, id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return missing
}

// ping asks a node until it answers or ctx ends.
func (p *Pool) ping(ctx context.Context, id names.NodeID) error {
	m := port.Message{Subject: p.deps.Space.Node(id, opPing), Header: p.nodes.header}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		try, cancel := context.WithTimeout(ctx, pingTimeout)
		_, err := p.deps.Bus.Request(try, port.LaneOrdered, m)
		cancel()
		if err == nil {
			p.nodes.heard(id)
			return nil
		}
		if errors.Is(err, port.ErrTooLarge) {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// storm kills a node with many clients, which come to the other one all at the same time: seconds until the last has its
// snapshot.
type storm struct{ users, keys int }

func (m storm) ours(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 2)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	crowd, _, err := b.work(ctx, worker.Crowd, "-users", strconv.Itoa(m.users), "-keys", strconv.Itoa(m.keys))
	if err != nil {
		return Sample{}, err
	}
	defer crowd.Stop()
	var came load.Arrived
	at := func(s *server, write bool) string {
		return fmt.Sprintf("ws://%s/ws %s %v", s.addr("HTTP"), s.addr("API"), write)
	}
	if err := crowd.Ask(at(c.nodes[0], true), &came); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, c.nodes[0].Logs())
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return Sample{}, err
	}
	before, nats, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	killed, survivor := c.nodes[0], c.nodes[1]
	killed.Kill()
	defer killed.stop()
	if err := crowd.Ask(at(survivor, false), &came); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, survivor.Logs())
	}
	c.nodes = c.nodes[1:] // no figures of the dead
	after, natsAfter, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	peak, err := survivor.metric(ctx, "swindon_replica_loads_peak")
	if err != nil {
		return Sample{}, err
	}
	rss, err := survivor.RSS()
	if err != nil {
		return Sample{}, err
	}
	return Sample{
		Value: came.Seconds,
		Detail: fmt.Sprintf("%s, %d tries failed; CPU per client: %.2f ms node, %.2f ms NATS; %.0f loads at a time at most; RSS %.0f MiB", words(came.Spread), came.Failed,
			perUnit(after[0]-before[1], int64(m.users))/1000, perUnit(natsAfter-nats, int64(m.users))/1000, peak, float64(rss)/(1<<20)),
	}, nil
}

package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/proc"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// second compares what the delivery of a message costs on the node that it was published at and on another one. Each has one
// subscriber of all topics. Without the first node's subscriber the first node does the same without delivering: the
// difference is what delivering costs it. On the other node everything is for delivering.
type second struct {
	topics int
}

func (m second) ours(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 2)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	here, err := m.subscribe(ctx, b, c.nodes[0])
	if err != nil {
		return Sample{}, err
	}
	defer func() { here.Stop() }()
	there, err := m.subscribe(ctx, b, c.nodes[1])
	if err != nil {
		return Sample{}, err
	}
	defer there.Stop()
	if _, err := m.publish(ctx, b, c, b.Length/4, there); err != nil {
		return Sample{}, err
	}
	both, err := m.publish(ctx, b, c, b.Length, here, there)
	if err != nil {
		return Sample{}, err
	}
	here.Stop()
	other, err := m.publish(ctx, b, c, b.Length, there)
	if err != nil {
		return Sample{}, err
	}
	first, second := both[0]-other[0], (both[1]+other[1])/2
	return Sample{
		Value: second - first,
		Detail: fmt.Sprintf("publishing node %.1f µs and %.1f µs for delivering, other node %.1f µs, NATS %.1f µs, at %.0f messages/s",
			other[0], first, second, both[2], other[3]),
	}, nil
}

func (m second) subscribe(ctx context.Context, b *Bench, s *server) (*proc.Process, error) {
	args := []string{"-url", "ws://" + s.addr("HTTP") + "/ws", "-api", s.addr("API"), "-topic", "bench/many", "-n", "1"}
	p, _, err := b.work(ctx, worker.Subscribers, append(args, "-topics", strconv.Itoa(m.topics))...)
	return p, err
}

// publish publishes at the first node and returns the CPU microseconds per message of both nodes and of NATS, and the
// messages per second.
func (m second) publish(ctx context.Context, b *Bench, c *cluster, length time.Duration, subscribers ...asker) (used [4]float64, err error) {
	counts := make([]load.Count, len(subscribers))
	for i, each := range subscribers {
		if err := each.Ask("count", &counts[i]); err != nil {
			return used, err
		}
	}
	before, nats, err := c.cpu()
	if err != nil {
		return used, err
	}
	var done load.Published
	err = b.ask(ctx, &done, worker.Publishers, "-address", c.nodes[0].addr("API"), "-path", "/v1/publish/bench/many", "-topics", strconv.Itoa(m.topics),
		"-size", strconv.Itoa(messageSize), "-length", length.String())
	if err != nil {
		return used, err
	}
	for i, each := range subscribers {
		if err := awaitCount(ctx, each, counts[i].Frames+done.Messages); err != nil {
			return used, err
		}
	}
	after, natsAfter, err := c.cpu()
	if err != nil {
		return used, err
	}
	return [4]float64{
		perUnit(after[0]-before[0], done.Messages), perUnit(after[1]-before[1], done.Messages), perUnit(natsAfter-nats, done.Messages),
		float64(done.Messages) / done.Seconds,
	}, nil
}

// awaitCount waits until a load generator has got so much.
func awaitCount(ctx context.Context, a asker, want int64) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		var now load.Count
		if err := a.Ask("count", &now); err != nil {
			return err
		}
		switch {
		case now.Frames == want:
			return nil
		case now.Frames > want || now.Lost > 0 || time.Now().After(deadline):
			return fmt.Errorf("%d messages arrived instead of %d, %d connections closed", now.Frames, want, now.Lost)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

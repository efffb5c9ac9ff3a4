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

// second measures what a second node does for a message besides delivering it to its subscribers, which is the same work and
// the same code as on the node that it was published at. Both nodes have a subscriber of some topics; of as many others the
// first node has one alone. For these the second node does everything but deliver.
type second struct {
	topics int
}

// The two kinds of topics.
const (
	everywhere = "bench/both"
	onlyHere   = "bench/here"
)

func (m second) ours(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 2)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	var here, there, alone *proc.Process
	for _, each := range []struct {
		to    **proc.Process
		node  int
		topic string
	}{{&here, 0, everywhere}, {&there, 1, everywhere}, {&alone, 0, onlyHere}} {
		if *each.to, err = m.subscribe(ctx, b, c.nodes[each.node], each.topic); err != nil {
			return Sample{}, err
		}
		defer (*each.to).Stop()
	}
	if _, err := m.publish(ctx, b, c, b.Length/4, everywhere, here, there); err != nil {
		return Sample{}, err
	}
	before, err := c.nodes[1].losses(ctx)
	if err != nil {
		return Sample{}, err
	}
	var both, vain [4]float64
	const turns = 4
	for range turns {
		x, err := m.publish(ctx, b, c, b.Length/turns, everywhere, here, there)
		if err != nil {
			return Sample{}, err
		}
		y, err := m.publish(ctx, b, c, b.Length/turns, onlyHere, alone)
		if err != nil {
			return Sample{}, err
		}
		for i := range both {
			both[i] += x[i] / turns
			vain[i] += y[i] / turns
		}
	}
	after, err := c.nodes[1].losses(ctx)
	if err == nil {
		err = after.since(before)
	}
	if err != nil {
		return Sample{}, err
	}
	return Sample{
		Value: vain[1],
		Detail: fmt.Sprintf("with delivering %.1f µs; publishing node %.1f µs, HTTP API and delivering included; NATS %.1f µs; %.0f messages/s",
			both[1], (both[0]+vain[0])/2, (both[2]+vain[2])/2, (both[3]+vain[3])/2),
	}, nil
}

// base is the same for a program that does nothing but read: it has the client library in common with the second node.
func (m second) base(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 1)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	reader, _, err := b.work(ctx, worker.NATSReader, "-nats", c.url, "-subject", "sw.main.top.>")
	if err != nil {
		return Sample{}, err
	}
	defer reader.Stop()
	if _, err := m.publish(ctx, b, c, b.Length/4, onlyHere, reader); err != nil {
		return Sample{}, err
	}
	before, err := proc.FineCPU(reader.PID())
	if err != nil {
		return Sample{}, err
	}
	var start, end load.Count
	if err := reader.Ask("count", &start); err != nil {
		return Sample{}, err
	}
	if _, err := m.publish(ctx, b, c, b.Length, onlyHere, reader); err != nil {
		return Sample{}, err
	}
	after, err := proc.FineCPU(reader.PID())
	if err != nil {
		return Sample{}, err
	}
	if err := reader.Ask("count", &end); err != nil {
		return Sample{}, err
	}
	n := end.Frames - start.Frames
	return Sample{Value: perUnit(after-before, n), Detail: fmt.Sprintf("%d messages", n)}, nil
}

func (m second) subscribe(ctx context.Context, b *Bench, s *server, topic string) (*proc.Process, error) {
	args := []string{"-url", "ws://" + s.addr("HTTP") + "/ws", "-api", s.addr("API"), "-topic", topic, "-n", "1"}
	p, _, err := b.work(ctx, worker.Subscribers, append(args, "-topics", strconv.Itoa(m.topics))...)
	return p, err
}

// publish publishes at the first node and returns the CPU microseconds per message of the nodes and of NATS, and the
// messages per second.
func (m second) publish(
	ctx context.Context, b *Bench, c *cluster, length time.Duration, topic string, subscribers ...asker,
) (used [4]float64, err error) {
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
	err = b.ask(ctx, &done, worker.Publishers, "-address", c.nodes[0].addr("API"), "-path", "/v1/publish/"+topic, "-topics", strconv.Itoa(m.topics),
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
	used[2], used[3] = perUnit(natsAfter-nats, done.Messages), float64(done.Messages)/done.Seconds
	for i := range after {
		used[i] = perUnit(after[i]-before[i], done.Messages)
	}
	return used, nil
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

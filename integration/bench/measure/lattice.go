package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// relay measures the way of lattice updates from one node's backend API to a subscriber on another node: milliseconds, the
// middle.
type relay struct{ rate float64 }

func (r relay) ours(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 2)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	args := []string{
		"-url", "ws://" + c.nodes[1].addr("HTTP") + "/ws", "-api", c.nodes[1].addr("API"), "-from", c.nodes[0].addr("API"),
		"-rate", strconv.FormatFloat(r.rate, 'g', -1, 64), "-length",
	}
	var done load.Relayed
	// The first is to warm up.
	if err := b.ask(ctx, &done, worker.Relay, append(args, (b.Length/4).String())...); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, c.nodes[0].Logs())
	}
	if err := pause(ctx, time.Second); err != nil {
		return Sample{}, err
	}
	before, nats, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	// The keys are counted on from 1 again, so the second run needs values that are new.
	if err := b.ask(ctx, &done, worker.Relay, append(args, b.Length.String(), "-base", "1000000")...); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, c.nodes[0].Logs())
	}
	after, natsAfter, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	return Sample{
		Value: done.Spread.P50,
		Detail: fmt.Sprintf("%.0f updates/s, %s, CPU per update: %.0f µs updating node, %.0f µs other node, %.0f µs NATS", float64(done.Messages)/done.Seconds,
			words(done.Spread), perUnit(after[0]-before[0], done.Messages), perUnit(after[1]-before[1], done.Messages), perUnit(natsAfter-nats, done.Messages)),
	}, nil
}

// updates measures acknowledged lattice updates a second over NATS.
type updates struct{ keys, writers int }

func (u updates) ours(ctx context.Context, b *Bench) (Sample, error) {
	c, err := b.cluster(ctx, 1)
	if err != nil {
		return Sample{}, err
	}
	defer c.stop()
	args := []string{"-nats", c.url, "-keys", strconv.Itoa(u.keys), "-writers", strconv.Itoa(u.writers), "-length"}
	var done load.Asked
	if err := b.ask(ctx, &done, worker.Updaters, append(args, (b.Length/4).String())...); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, c.nodes[0].Logs())
	}
	commits, err := c.nodes[0].metric(ctx, "swindon_replica_commits_total")
	if err != nil {
		return Sample{}, err
	}
	before, nats, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	if err := b.ask(ctx, &done, worker.Updaters, append(args, b.Length.String(), "-base", "100000000")...); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, c.nodes[0].Logs())
	}
	after, natsAfter, err := c.cpu()
	if err != nil {
		return Sample{}, err
	}
	now, err := c.nodes[0].metric(ctx, "swindon_replica_commits_total")
	if err != nil {
		return Sample{}, err
	}
	return Sample{
		Value: float64(done.Answers) / done.Seconds,
		Detail: fmt.Sprintf("%s, %.1f updates per commit, CPU per update: %.1f µs node, %.1f µs NATS", words(done.Spread),
			float64(done.Answers)/max(now-commits, 1), perUnit(after[0]-before[0], done.Answers), perUnit(natsAfter-nats, done.Answers)),
	}, nil
}

// merging measures the merge of an update of ten keys: microseconds.
type merging struct{}

func (merging) ours(ctx context.Context, b *Bench) (Sample, error) {
	var done worker.Merged
	if err := b.ask(ctx, &done, worker.Merger); err != nil {
		return Sample{}, err
	}
	if done.StaleAllocs > 0.01 { // the runtime has its own now and then
		return Sample{}, fmt.Errorf("a merge in which nothing grows makes %.2f allocations", done.StaleAllocs)
	}
	return Sample{
		Value: done.Grows / 1000,
		Detail: fmt.Sprintf("%.1f allocations; where nothing grows %.2f µs and %.1f allocations", done.GrowsAllocs,
			done.Stale/1000, done.StaleAllocs),
	}, nil
}

// attach measures the snapshot of a namespace that nobody on the node looks at yet: milliseconds, the middle.
type attach struct {
	keys, times int
	embedded    bool // the NATS server is the node's own, instead of an external one
}

func (a attach) ours(ctx context.Context, b *Bench) (Sample, error) {
	return a.measure(ctx, b, worker.Attacher)
}

// base reads the same of the store with the bare client library.
func (a attach) base(ctx context.Context, b *Bench) (Sample, error) {
	return a.measure(ctx, b, worker.Fetcher)
}

func (a attach) measure(ctx context.Context, b *Bench, role string) (Sample, error) {
	var (
		s   *server
		url string
	)
	if a.embedded {
		own, err := b.embedded(ctx)
		if err != nil {
			return Sample{}, err
		}
		defer own.stop()
		s, url = own, "nats://"+own.addr("NATS")
	} else {
		c, err := b.cluster(ctx, 1)
		if err != nil {
			return Sample{}, err
		}
		defer c.stop()
		s, url = c.nodes[0], c.url
	}
	var done load.Spread
	err := b.ask(ctx, &done, role, "-url", "ws://"+s.addr("HTTP")+"/ws", "-api", s.addr("API"),
		"-nats", url, "-keys", strconv.Itoa(a.keys), "-times", strconv.Itoa(a.times))
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, s.Logs())
	}
	return Sample{Value: done.P50, Detail: fmt.Sprintf("%d snapshots one after the other, %s", a.times, words(done))}, nil
}

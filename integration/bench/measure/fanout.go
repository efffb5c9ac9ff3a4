package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// topic is what the subscribers of the fan-out measures share.
const topic = "bench/room"

// messageSize is the size of every message and argument: the budget's 128 bytes.
const messageSize = 128

// fanout is one way to publish.
type fanout struct {
	subscribers int
	rate        float64 // messages a second, 0 for a closed loop of 64 publishers
	overNATS    bool    // ours is published to through NATS; the baseline has only HTTP
}

// ours measures swindon: CPU microseconds of the process per delivered message, the embedded NATS server included.
func (f fanout) ours(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.gateway(ctx, false)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	target := []string{"-url", "ws://" + s.addr("HTTP") + "/ws", "-api", s.addr("API"), "-topic", topic}
	publishers := []string{"-address", s.addr("API"), "-path", "/v1/publish/" + topic}
	if f.overNATS {
		publishers = []string{"-address", "nats://" + s.addr("NATS"), "-path", "sw.main.pub.bench.room"}
	}
	return f.run(ctx, b, s, target, publishers)
}

// base measures the bare program.
func (f fanout) base(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.bare(ctx, worker.BareFanout)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	return f.run(ctx, b, s, []string{"-url", "ws://" + s.addr("HTTP") + "/ws"}, []string{"-address", s.addr("HTTP"), "-path", "/publish"})
}

func (f fanout) run(ctx context.Context, b *Bench, s *server, target, publishing []string) (Sample, error) {
	subscribers, _, err := b.work(ctx, worker.Subscribers, append(target, "-n", strconv.Itoa(f.subscribers))...)
	if err != nil {
		return Sample{}, err
	}
	defer subscribers.Stop()
	publishing = append(publishing, "-size", strconv.Itoa(messageSize), "-rate", strconv.FormatFloat(f.rate, 'g', -1, 64))
	for _, length := range []time.Duration{b.Length / 4, b.Length} { // the first is to warm up: pools, heap size, socket buffers
		sample, err := f.once(ctx, b, s, subscribers, append(publishing, "-length", length.String()))
		if err != nil || length == b.Length {
			return sample, err
		}
	}
	return Sample{}, nil
}

// asker is a worker that can be asked.
type asker interface {
	Ask(question string, answer any) error
}

// once publishes for a while and waits until everything has arrived, so that nothing of the work is left out.
func (f fanout) once(ctx context.Context, b *Bench, s *server, subscribers asker, publishing []string) (Sample, error) {
	publishers, _, err := b.work(ctx, worker.Publishers, publishing...)
	if err != nil {
		return Sample{}, err
	}
	defer publishers.Stop()
	var before, after load.Count
	var published load.Published
	if err := subscribers.Ask("count", &before); err != nil {
		return Sample{}, err
	}
	used, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	if err := publishers.Ask("run", &published); err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, s.Logs())
	}
	want := published.Messages * int64(f.subscribers)
	for deadline := time.Now().Add(30 * time.Second); ; {
		if err := subscribers.Ask("count", &after); err != nil {
			return Sample{}, err
		}
		if after.Frames-before.Frames >= want || time.Now().After(deadline) || after.Lost > 0 {
			break
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return Sample{}, err
		}
	}
	now, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	if got := after.Frames - before.Frames; got != want || after.Lost > 0 {
		return Sample{}, fmt.Errorf("%s delivered %d of %d messages and closed %d connections\n%s", s.Name, got, want, after.Lost, s.Logs())
	}
	cpu := now - used
	return Sample{
		Value: float64(cpu.Microseconds()) / float64(want),
		Detail: fmt.Sprintf("%.0f messages/s, %.0f deliveries/s, %v CPU in %.1f s", float64(published.Messages)/published.Seconds,
			float64(want)/published.Seconds, cpu, published.Seconds),
	}, nil
}

package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// rpc is calls of a number of connections, through one kind of destination.
type rpc struct {
	conns, depth int
	overNATS     bool
}

// ours measures CPU microseconds of swindon per call, the embedded NATS server included, backend and clients not.
func (r rpc) ours(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.gateway(ctx, r.overNATS)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	method := "bench.echo"
	if r.overNATS {
		method = "fast.echo"
	}
	return r.run(ctx, b, s, "-url", "ws://"+s.addr("HTTP")+"/ws", "-method", method)
}

// base measures the bare echo.
func (r rpc) base(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.bare(ctx, worker.BareEcho)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	return r.run(ctx, b, s, "-url", "ws://"+s.addr("HTTP")+"/ws", "-bare")
}

func (r rpc) run(ctx context.Context, b *Bench, s *server, args ...string) (Sample, error) {
	args = append(args, "-conns", strconv.Itoa(r.conns), "-depth", strconv.Itoa(r.depth), "-size", strconv.Itoa(messageSize))
	callers, _, err := b.work(ctx, worker.Callers, args...)
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, s.Logs())
	}
	defer callers.Stop()
	if err := pause(ctx, b.Length/4); err != nil {
		return Sample{}, err
	}
	var before, after load.Count
	used, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	start := time.Now()
	if err := callers.Ask("count", &before); err != nil {
		return Sample{}, err
	}
	if err := pause(ctx, b.Length); err != nil {
		return Sample{}, err
	}
	now, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	length := time.Since(start)
	if err := callers.Ask("count", &after); err != nil {
		return Sample{}, err
	}
	calls := after.Frames - before.Frames
	if after.Lost > 0 || calls == 0 {
		return Sample{}, fmt.Errorf("%s: %d of %d calls failed\n%s", s.Name, after.Lost, calls, s.Logs())
	}
	cpu := now - used
	return Sample{
		Value:  float64(cpu.Microseconds()) / float64(calls),
		Detail: fmt.Sprintf("%.0f calls/s, %v CPU in %.1f s", float64(calls)/length.Seconds(), cpu, length.Seconds()),
	}, nil
}

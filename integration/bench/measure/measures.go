package measure

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// side measures one program once.
type side func(context.Context, *Bench) (Sample, error)

// Measure is one row of the table.
type Measure struct {
	Name   string // for -only
	Title  string
	Unit   string
	Base   string  // what the baseline is; empty when there is none
	Ratio  float64 // target: at most so many times the baseline; 0 when there is none
	Limit  float64 // target: at most so much; 0 when there is none
	Least  float64 // target: at least so much; 0 when there is none
	ours   side
	base   side
	Method string // one sentence for the report
}

// All returns the measures in the order of the report. Quick makes those that wait shorter; its figures are no figures.
func All(quick bool) []Measure {
	conns, rest := 10_000, 10*time.Second
	if quick {
		conns, rest = 1_000, time.Second
	}
	const bareFanout, bareEcho, nginx = "bare fan-out", "bare echo", "nginx"
	perDelivery := "64 publishers in a closed loop over keep-alive connections, server CPU until the last delivery ÷ deliveries"
	measures := []Measure{
		{
			Name: "idle", Title: fmt.Sprintf("idle connection, authorized, one subscription (at %d)", conns), Unit: "KiB", Base: bareFanout, Limit: 8,
			ours: idle{conns, rest}.ours, base: idle{conns, rest}.base,
			Method: fmt.Sprintf("(VmRSS %v after the last connection − VmRSS before the first) ÷ %d; each connection a user of its own, ten share a topic", rest, conns),
		},
	}
	for _, each := range []struct {
		subscribers int
		ratio       float64
	}{{100, 1.3}, {1000, 1.2}, {5000, 1.2}} {
		f := fanout{subscribers: each.subscribers}
		measures = append(measures, Measure{
			Name: fmt.Sprintf("fanout-%d", each.subscribers), Title: fmt.Sprintf("fan-out of 128 bytes to %d, over the HTTP API", each.subscribers),
			Unit: "µs/delivery", Base: bareFanout, Ratio: each.ratio, ours: f.ours, base: f.base, Method: perDelivery,
		})
	}
	overNATS, slow := fanout{subscribers: 1000, overNATS: true}, fanout{subscribers: 1000, rate: 100}
	natsRPC, http1, http8 := rpc{100, 8, true}, rpc{100, 1, false}, rpc{100, 8, false}
	perCall := "every reply is followed by the next call in a write of its own, server CPU ÷ finished calls"
	perRequest := "wrk with one thread, server CPU (nginx: master and workers) ÷ requests"
	proxied, small, large := wrk{"/api/1k", 64}, wrk{"/1k.bin", 64}, wrk{"/10m.bin", 8}
	measures = append(
		measures,
		Measure{
			Name: "fanout-nats", Title: "fan-out of 128 bytes to 1000, publishers over NATS", Unit: "µs/delivery", Base: bareFanout + " over HTTP",
			ours: overNATS.ours, base: overNATS.base, Method: "as above, with 64 acknowledged publishes in flight over one NATS connection",
		},
		Measure{
			Name: "fanout-slow", Title: "fan-out of 128 bytes to 1000, 100 messages a second", Unit: "µs/delivery", Base: bareFanout,
			ours: slow.ours, base: slow.base, Method: "no backlog, so every delivery is a write of its own",
		},
		Measure{
			Name: "rpc-nats", Title: "RPC of 128 bytes through NATS, 100 × 8", Unit: "µs/call", Base: bareEcho, Ratio: 3.5,
			ours: natsRPC.ours, base: natsRPC.base, Method: perCall + "; the backend is a NATS service on the TCP listener",
		},
		Measure{
			Name: "rpc-http-1", Title: "RPC of 128 bytes through HTTP, 100 × 1", Unit: "µs/call", Base: bareEcho, Ratio: 4,
			ours: http1.ours, base: http1.base, Method: perCall + "; the backend is a bare net/http server",
		},
		Measure{
			Name: "rpc-http-8", Title: "RPC of 128 bytes through HTTP, 100 × 8", Unit: "µs/call", Base: bareEcho, Ratio: 5,
			ours: http8.ours, base: http8.base, Method: perCall + "; the backend is a bare net/http server",
		},
		Measure{
			Name: "proxy", Title: "proxied 1 KiB, 64 connections", Unit: "µs/request", Base: nginx, Ratio: 2,
			ours: proxied.ours, base: proxied.base, Method: perRequest + "; the backend is a bare net/http server",
		},
		Measure{
			Name: "static-1k", Title: "static 1 KiB, 64 connections", Unit: "µs/request", Base: nginx, Ratio: 2.2,
			ours: small.ours, base: small.base, Method: perRequest,
		},
		Measure{
			Name: "static-10m", Title: "static 10 MiB, 8 connections", Unit: "µs/request", Base: nginx,
			ours: large.ours, base: large.base, Method: perRequest,
		},
		Measure{
			Name: "process", Title: "whole idle process with NATS embedded", Unit: "MiB", Limit: 40,
			ours: process{rest}.memory, Method: fmt.Sprintf("VmRSS %v after start", rest),
		},
		Measure{
			Name: "startup", Title: "from exec to 200 on /ready", Unit: "ms", Limit: 100,
			ours: process{}.startup, Method: "polled every millisecond",
		},
	)
	return append(measures, lattices(quick)...)
}

// Result is a measure with its runs.
type Result struct {
	Measure
	Ours, Bases []Sample
	Err         error // why there are no figures
}

// Run measures both sides in turns, so that what else happens on the machine meets both.
func (m Measure) Run(ctx context.Context, b *Bench, runs int) Result {
	result := Result{Measure: m}
	for i := range runs {
		for _, each := range []struct {
			name string
			side side
			to   *[]Sample
		}{{"baseline", m.base, &result.Bases}, {"ours", m.ours, &result.Ours}} {
			if each.side == nil || b.OnlyBase && each.name == "ours" {
				continue
			}
			sample, err := each.side(ctx, b)
			if err != nil && ctx.Err() == nil {
				// One more chance, and the report says so: on a shared machine a generator may be too late to read once.
				_, _ = fmt.Fprintf(b.Log, "%-12s run %d %-8s again after: %v\n", m.Name, i+1, each.name, err)
				sample, err = each.side(ctx, b)
				sample.Detail += ", second try"
			}
			if err != nil {
				result.Err = fmt.Errorf("%s, %s: %w", m.Name, each.name, err)
				return result
			}
			_, _ = fmt.Fprintf(b.Log, "%-12s run %d %-8s %9.3f %s (%s)\n", m.Name, i+1, each.name, sample.Value, m.Unit, sample.Detail)
			*each.to = append(*each.to, sample)
		}
	}
	return result
}

// Median is the middle of the samples' values; 0 when there are none.
func Median(samples []Sample) float64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]float64, len(samples))
	for i, sample := range samples {
		values[i] = sample.Value
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

package broker

import (
	"context"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// BenchmarkRequest measures a call through the embedded server to a backend in this process over TCP, many at once:
// all of its CPU, the backend's included.
func BenchmarkRequest(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Listen = []string{"127.0.0.1:0"}
	br, err := Open(b.Context(), cfg, Deps{
		Log: slog.New(slog.DiscardHandler), Node: testNode, Subjects: []string{"rpc"},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close(b.Context())
	backend, err := nats.Connect(br.server.srv.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	defer backend.Close()
	reply := []byte(strings.Repeat("x", 128))
	if _, err := backend.QueueSubscribe("sw.main.rpc.echo", names.Queue, func(m *nats.Msg) { _ = m.Respond(reply) }); err != nil {
		b.Fatal(err)
	}
	if err := backend.Flush(); err != nil {
		b.Fatal(err)
	}
	m := port.Message{Subject: "sw.main.rpc.echo", Data: reply, Header: port.Header{
		port.HeaderConn: {string(testNode) + "-17"}, port.HeaderUser: {"user-1"}, port.HeaderAuth: {strings.Repeat("a", 40)},
		port.HeaderRequestID: {string(testNode)}, port.HeaderDeadline: {"1700000000000"}, port.HeaderAttempt: {"1"},
		"Content-Type": {"application/json"},
	}}
	request := func(ctx context.Context) error {
		_, err := br.Request(ctx, port.LaneCalls, m)
		return err
	}
	library := func(ctx context.Context) error {
		_, err := br.calls.conn.Load().RequestMsgWithContext(ctx, &nats.Msg{
			Subject: m.Subject, Data: m.Data, Header: nats.Header(m.Header),
		})
		return err
	}
	for name, call := range map[string]func(context.Context) error{"ours": request, "library": library} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(400)
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
				defer cancel()
				for pb.Next() {
					if err := call(ctx); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(cpu()-before)/float64(b.N)/1e3, "cpu-µs/op")
		})
	}
}

// cpu is the time that this process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

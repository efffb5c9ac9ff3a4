package broker

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestUpdate: a reload's session pools and destinations are served without a restart, and nobody is cut off.
func TestUpdate(t *testing.T) {
	t.Parallel()
	var log logBuffer
	deps := testDeps(t)
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	b := open(t, listening(), deps)
	backend, errs := client(t, b)
	serve := func(subject string) {
		t.Helper()
		if _, err := backend.QueueSubscribe(subject, names.Queue, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	serve("sw.main.rpc.echo")
	serve("sw.main.shop.buy")
	if got := refusal(t, backend, errs); got == "" {
		t.Error("a subject of no destination may be served")
	}
	pools := []PoolLimit{{Name: "main", MaxMessage: 20 << 20}, {Name: "late", MaxMessage: 1}}
	for range 2 {
		if err := b.Update(pools, []string{"rpc", "shop"}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(log.String(), "pool=main limit=20971520 max_payload=10551296") || strings.Contains(log.String(), "pool=late") {
		t.Errorf("the log does not tell of the limit, or tells too much:\n%s", log.String())
	}
	serve("sw.late.shop.buy")
	if err := backend.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"sw.main.rpc.echo", "sw.late.shop.buy"} {
		m, err := b.Request(ctx(t), port.LaneCalls, port.Message{Subject: subject, Data: []byte("x")})
		if err != nil || string(m.Data) != "x" {
			t.Errorf("%s: %q, %v", subject, m.Data, err)
		}
	}
	if err := backend.Flush(); err != nil || len(errs) > 0 {
		t.Errorf("backend: %v, %d errors", err, len(errs))
	}
	for _, nc := range []*nats.Conn{backend, b.bus.conn.Load(), b.calls.conn.Load()} {
		if n := nc.Stats().Reconnects; n != 0 || !nc.IsConnected() {
			t.Errorf("%s was cut off", nc.Opts.Name)
		}
	}
	// The new pool's bucket is made in the background.
	for c := ctx(t); !b.Store("late").Ready(); {
		if err := b.Flush(c); err != nil {
			t.Fatal("no bucket for the new pool: ", err)
		}
	}
}

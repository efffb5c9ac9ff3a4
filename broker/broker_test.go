package broker

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

const testNode = names.NodeID("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

// patience bounds each wait of a test.
const patience = 20 * time.Second

func testDeps(t *testing.T) Deps {
	t.Helper()
	return Deps{
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), Node: testNode,
		Pools: []PoolLimit{{Name: "main", MaxMessage: 10 << 20}}, Subjects: []string{"rpc"},
	}
}

// open starts a broker for one test.
func open(t *testing.T, cfg Config, deps Deps) *Broker {
	t.Helper()
	b, err := Open(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.WithoutCancel(t.Context())) })
	return b
}

// ctx bounds one wait of a test.
func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return c
}

func TestEmbeddedCarriesMessages(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	if !b.Up() {
		t.Fatal("not up")
	}
	if got, want := b.MaxPayload(), int64(10<<20+64<<10); got != want {
		t.Errorf("MaxPayload = %d, want %d", got, want)
	}
	stop, err := b.Serve("sw.main.rpc.echo", names.Queue, func(m port.Message) {
		if err := b.Publish(port.Message{Subject: m.Reply, Data: m.Data}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	got, err := b.Request(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.rpc.echo", Data: []byte("x")})
	if err != nil || string(got.Data) != "x" {
		t.Errorf("Request = %q, %v", got.Data, err)
	}
	if err := b.Flush(ctx(t)); err != nil {
		t.Error(err)
	}
	_, err = b.Request(ctx(t), port.LaneCalls, port.Message{Subject: "sw.main.rpc.nobody"})
	if !errors.Is(err, port.ErrNoResponders) {
		t.Errorf("Request to nobody: %v", err)
	}
}

package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// client connects to a broker's listener; errs takes what the server complains about.
func client(t *testing.T, b *Broker, opts ...nats.Option) (*nats.Conn, <-chan error) {
	t.Helper()
	errs := make(chan error, 100)
	nc, err := nats.Connect(b.server.srv.ClientURL(), append(opts, nats.ErrorHandler(
		func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err },
	))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, errs
}

// refusal returns the next permission error; "" when the server has answered a ping and there is none.
func refusal(t *testing.T, nc *nats.Conn, errs <-chan error) string {
	t.Helper()
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-errs:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Fatalf("another error: %v", err)
		}
		return err.Error()
	case <-time.After(time.Second): // the library tells of errors in a goroutine of its own
		return ""
	}
}

// TestBackendPermissions: what a backend may do, and what not.
func TestBackendPermissions(t *testing.T) {
	t.Parallel()
	cfg := listening()
	cfg.BackendToken = "tok en/%"
	deps := testDeps(t)
	deps.Subjects = []string{"rpc", "svc.shop"}
	b := open(t, cfg, deps)
	backend := nats.UserInfo("backend", "tok en/%")

	t.Run("refused subscriptions", func(t *testing.T) {
		t.Parallel()
		nc, errs := client(t, b, backend)
		for _, s := range []string{
			"sw.main.rpc.>", "sw.main.rpc.chat.send", "sw.main.auth.>", ">", "*.>", "sw.>", "sw.main.top.>", "sw.main.lat.>",
			inboxRoot + ".>", b.calls.replies.prefix + "*", "$KV.>", "$JS.>", "$SYS.>", "sw.main.conn.>", "sw.main.node.>",
			"sw.main.load.>", "sw.main.lat.idle.*", "sw.main.nodes.>", "sw.main.api.lattice.*", b.calls.gathers.prefix + "*",
		} {
			if _, err := nc.SubscribeSync(s); err != nil {
				t.Fatal(err)
			}
			if got := refusal(t, nc, errs); !strings.Contains(got, "Subscription to") {
				t.Errorf("%s was not refused: %q", s, got)
			}
		}
		for _, q := range []string{"other", "gw"} {
			if _, err := nc.QueueSubscribeSync("sw.main.rpc.>", q); err != nil {
				t.Fatal(err)
			}
			if got := refusal(t, nc, errs); !strings.Contains(got, "Subscription to") {
				t.Errorf("queue %s was not refused: %q", q, got)
			}
		}
	})
	t.Run("refused publishes", func(t *testing.T) {
		t.Parallel()
		nc, errs := client(t, b, backend)
		for _, s := range []string{
			"sw.main.lat.ns", "sw.main.lat.idle.u", "sw.main.load.ns", "sw.main.rpc.chat.send", "sw.main.auth.authorize_connection", "sw.main.nodes.beat",
			"sw.main.node." + string(testNode) + ".drain", "sw.main.ev.connected", "$KV.sw_main_lat.ns.s.key",
			"$JS.API.STREAM.DELETE.KV_sw_main_lat", "$JS.API.STREAM.PURGE.KV_sw_main_lat", "$JS.API.INFO",
			"$JS.API.DIRECT.GET.KV_sw_main_lat", "$JS.API.DIRECT.GET.KV_sw_main_lat.$KV.sw_main_lat.ns.s.key",
			"$JS.API.STREAM.MSG.GET.KV_sw_main_lat", "$JS.API.STREAM.INFO.KV_sw_main_lat", b.calls.gathers.prefix + "1", "sw.main.ev.idle",
			b.calls.replies.subject(1), "$SYS.REQ.SERVER.PING", "_INBOX.somebody",
		} {
			if err := nc.Publish(s, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if got := refusal(t, nc, errs); !strings.Contains(got, "Publish to") {
				t.Errorf("%s was not refused: %q", s, got)
			}
		}
	})
	t.Run("service", func(t *testing.T) {
		t.Parallel()
		nc, errs := client(t, b, backend)
		for _, s := range []string{"sw.main.rpc.echo", "sw.other.auth.authorize_connection", "sw.main.svc.shop.buy"} {
			if _, err := nc.QueueSubscribe(s, names.Queue, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			m, err := b.Request(ctx(t), port.LaneCalls, port.Message{Subject: s, Data: []byte("x")})
			if err != nil || string(m.Data) != "x" {
				t.Errorf("call of %s: %q, %v", s, m.Data, err)
			}
		}
		if len(errs) > 0 {
			t.Error(<-errs)
		}
	})
	t.Run("publish and ask", func(t *testing.T) {
		t.Parallel()
		nc, errs := client(t, b, backend)
		heard := make(chan string, 10)
		stop, err := b.Intake([]string{"sw.main.top.>", "sw.main.conn.>"}, nil, func(m port.Message) {
			heard <- m.Subject
			if m.Reply != "" {
				if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte("done")}); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		stop, err = b.Serve("sw.main.pub.>", names.NodeQueue, func(m port.Message) {
			if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte("published")}); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		if err := nc.Publish("sw.main.top.x", nil); err != nil {
			t.Fatal(err)
		}
		for s, want := range map[string]string{"sw.main.conn.n.1.sub": "done", "sw.main.pub.x": "published"} {
			if m, err := nc.Request(s, nil, patience); err != nil || string(m.Data) != want {
				t.Errorf("request to %s: %v, %v", s, m, err)
			}
		}
		if s := <-heard; s != "sw.main.top.x" {
			t.Errorf("heard %s", s)
		}
		if len(errs) > 0 {
			t.Error(<-errs)
		}
	})
	t.Run("login", func(t *testing.T) {
		t.Parallel()
		for _, opts := range [][]nats.Option{
			nil,
			{nats.UserInfo("backend", "wrong")},
			{nats.UserInfo("gateway", "tok en/%")},
			{nats.UserInfo("gateway", "")},
			{nats.Token("tok en/%")},
		} {
			if nc, err := nats.Connect(b.server.srv.ClientURL(), opts...); err == nil {
				nc.Close()
				t.Errorf("let in with %d options", len(opts))
			}
		}
	})
}

// TestNoToken: with a listener and no token a backend needs no login, and is user backend.
func TestNoToken(t *testing.T) {
	t.Parallel()
	b := open(t, listening(), testDeps(t))
	nc, errs := client(t, b)
	if err := nc.Publish("sw.main.lat.x", nil); err != nil {
		t.Fatal(err)
	}
	if got := refusal(t, nc, errs); got == "" {
		t.Error("a stranger has more rights than a backend")
	}
	if err := nc.Publish("sw.main.top.x", nil); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil || nc.LastError() == nil {
		t.Error(err)
	}
}

// TestNoListener: without nats.listen there is no socket.
func TestNoListener(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	if addr := b.server.srv.Addr(); addr != nil {
		t.Errorf("listens on %v", addr)
	}
	if err := b.Update([]PoolLimit{{Name: "main"}}, []string{"rpc", "shop"}); err != nil {
		t.Error(err)
	}
	if addr := b.server.srv.Addr(); addr != nil || !b.Up() {
		t.Errorf("after an update: listens on %v, up %v", addr, b.Up())
	}
}

// TestPortInUse: a clear error at once.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := open(t, listening(), testDeps(t))
	cfg := DefaultConfig()
	cfg.Listen = []string{b.server.srv.Addr().String()}
	second, err := Open(t.Context(), cfg, testDeps(t))
	if err == nil {
		second.Close(context.WithoutCancel(t.Context()))
		t.Fatal("both listen")
	}
	if !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
}

package broker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// page is docs/protocol/nats.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "protocol", "nats.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentedServer: a server with the documented configuration serves nodes and backends, and its permissions are
// those of the embedded one.
func TestDocumentedServer(t *testing.T) {
	t.Parallel()
	conf := regexp.MustCompile("(?s)```conf\n(.*?)```").FindStringSubmatch(page(t))
	if conf == nil {
		t.Fatal("no configuration in the page")
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	text := strings.ReplaceAll(conf[1], "/var/lib/nats", t.TempDir())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := natsserver.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*natsserver.Permissions{
		gatewayUser: gatewayPermissions("sw"), backendUser: backendPermissions("sw", []string{"rpc"}),
	}
	for _, u := range opts.Users {
		if diff := cmp.Diff(want[u.Username], u.Permissions); diff != "" {
			t.Errorf("%s: embedded (-), documented (+):\n%s", u.Username, diff)
		}
	}
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", natsserver.RANDOM_PORT, true, true
	srv, err := natsserver.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	cfg := DefaultConfig()
	cfg.URL, cfg.User, cfg.Password = []string{srv.ClientURL()}, gatewayUser, "change me"
	b := open(t, cfg, testDeps(t))
	for c := ctx(t); !b.Store("main").Ready() || !b.NodesStore().Ready(); {
		if err := b.Flush(c); err != nil {
			t.Fatal("no buckets: ", err)
		}
	}
	if _, err := b.Store("main").CompareAndSwap(ctx(t), "a", 0, []byte("1"), 0); err != nil {
		t.Error(err)
	}
	backend, err := nats.Connect(srv.ClientURL(), nats.UserInfo(backendUser, "change me too"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Close)
	if err := documentedService(backend); err != nil {
		t.Fatal(err)
	}
	testPizza(t, b)
}

// documentedService is the example of the page; TestDocumentedExample holds the two together.
func documentedService(nc *nats.Conn) error {
	svc, err := micro.AddService(nc, micro.Config{Name: "pizza", Version: "1.0.0"})
	if err != nil {
		return err
	}
	// Queue group "q" is the framework's default. Keep it.
	pizza := svc.AddGroup("sw.main.rpc.pizza")
	err = pizza.AddEndpoint("order", micro.HandlerFunc(func(r micro.Request) {
		var call [3]json.RawMessage // meta, args, kwargs
		if err := json.Unmarshal(r.Data(), &call); err != nil {
			_ = r.Error("400", "not a call", nil)
			return
		}
		_ = r.RespondJSON(map[string]any{"ordered": call[1]})
	}))
	if err != nil {
		return err
	}
	return nc.Flush()
}

// TestDocumentedExample: the page's example is the one that runs here, on the embedded server too.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	example := regexp.MustCompile("(?s)```go\n.*?\n}\n(.*?)```").FindStringSubmatch(page(t)) // without the connect
	if example == nil || !strings.Contains(flat(string(source)), flat(example[1])) {
		t.Error("the example of docs/protocol/nats.md is not the one of documentedService")
	}
	b := open(t, listening(), testDeps(t))
	nc, errs := client(t, b)
	if err := documentedService(nc); err != nil {
		t.Fatal(err)
	}
	testPizza(t, b)
	// Discovery, which the framework serves by itself.
	if m, err := nc.Request("$SRV.PING.pizza", nil, patience); err != nil || !strings.Contains(string(m.Data), `"name":"pizza"`) {
		t.Errorf("discovery: %v, %v", m, err)
	}
	if len(errs) > 0 {
		t.Error(<-errs)
	}
}

func testPizza(t *testing.T, b *Broker) {
	t.Helper()
	m := port.Message{Subject: "sw.main.rpc.pizza.order", Data: []byte(`[{},["margherita"],{}]`)}
	got, err := b.Request(ctx(t), port.LaneCalls, m)
	if err != nil || string(got.Data) != `{"ordered":["margherita"]}` {
		t.Errorf("order: %q, %v", got.Data, err)
	}
	m.Data = []byte("no call")
	got, err = b.Request(ctx(t), port.LaneCalls, m)
	if err != nil || got.Header.Get(port.HeaderErrorCode) != "400" || got.Header.Get(port.HeaderError) != "not a call" {
		t.Errorf("bad order: %v, %v", got.Header, err)
	}
	if micro.DefaultQueueGroup != names.Queue {
		t.Errorf("the framework's queue group is %q", micro.DefaultQueueGroup)
	}
}

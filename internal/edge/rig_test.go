package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/routing"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rig is a running server.
type rig struct {
	*edge.Server
	group *listen.Group
	cfg   edge.Config
	log   *buffer // diagnostics
	lines *buffer // request log
	reg   *prometheus.Registry
}

// deny is an authorizer that denies with a note.
type deny struct{}

func (deny) Authorize(_ *http.Request, rec *web.Record) int {
	rec.Allow, rec.Deny = []string{"one", "two"}, "because"
	return http.StatusForbidden
}

type allow struct{}

func (allow) Authorize(*http.Request, *web.Record) int { return 0 }

// routes builds a table from routes in configuration form and handlers by name; the authorizer "deny" denies.
func routes(t testing.TB, cfg edge.Config, text map[string]string, handlers map[string]http.HandlerFunc) *edge.Table {
	t.Helper()
	var rules []routing.Rule
	for k, v := range text {
		key, err := routing.ParseKey(k)
		if err != nil {
			t.Fatal(err)
		}
		target, err := routing.ParseTarget(v)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, routing.Rule{Key: key, Target: target})
	}
	tab, err := routing.NewTable(rules, func(r routing.Route) (*edge.Target, error) {
		to := &edge.Target{HandlerName: r.Handler, Handler: handlers[r.Handler], AuthorizerName: r.Authorizer, Authorizer: allow{}}
		if handlers[r.Handler] == nil {
			to.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web.Error(w, r, http.StatusNotFound) })
		}
		if r.Authorizer == "deny" {
			to.Authorizer = deny{}
		}
		return to, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return edge.NewTable(cfg, tab)
}

func config() edge.Config {
	cfg := edge.DefaultConfig()
	cfg.Listen = []string{"127.0.0.1:0"}
	cfg.ServerName = "swindon/test"
	return cfg
}

func start(t testing.TB, cfg edge.Config, text map[string]string, handlers map[string]http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{cfg: cfg, log: &buffer{}, lines: &buffer{}, reg: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	var err error
	r.Server, err = edge.New(routes(t, cfg, text, handlers), edge.Deps{
		Log: log, IDs: ident.New(time.Now), Registerer: r.reg, RequestLog: r.lines,
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := listen.NewMetrics(r.reg)
	if err != nil {
		t.Fatal(err)
	}
	r.group = listen.New("main", edge.ListenConfig(cfg), listen.Deps{Log: log, Metrics: m})
	if err := r.group.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.group.Serve(r.Serve)
	group := r.group
	t.Cleanup(func() {
		group.Close()
		// net/http lingers for half a second where it did not read all of a request.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = r.Drain(ctx)
		_ = r.Close()
	})
	return r
}

func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.group.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// raw sends bytes, with \n for CR LF, and returns the whole answer until the server closes, with \n again.
func (r *rig) raw(t testing.TB, request string) string {
	t.Helper()
	c := r.dial(t)
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%q after %q: %v", request, b, err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

// get sends one request on a connection of its own.
func (r *rig) get(t testing.TB, method, target, host string, headers ...string) answer {
	t.Helper()
	c := r.dial(t)
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(c), method)
}

func read(t testing.TB, br *bufio.Reader, method string) answer {
	t.Helper()
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return answer{res, string(b)}
}

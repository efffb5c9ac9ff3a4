package listen_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/swindon-go/swindon/internal/listen"
)

// lines collects log records as text.
type lines struct {
	mu  sync.Mutex
	all []string
	got chan struct{}
}

func newLines() *lines { return &lines{got: make(chan struct{}, 1000)} }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	l.mu.Lock()
	l.all = append(l.all, text)
	l.mu.Unlock()
	l.got <- struct{}{}
	return nil
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// await waits until a line with the given part has come n times.
func (l *lines) await(t *testing.T, part string, n int) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for l.count(part) < n {
		select {
		case <-l.got:
		case <-timeout:
			t.Fatalf("no %q in %q", part, l.all)
		}
	}
}

func deps(t testing.TB) (listen.Deps, *lines, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	m, err := listen.NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	log := newLines()
	return listen.Deps{Log: slog.New(log), Metrics: m, Every: 10 * time.Millisecond}, log, reg
}

// serve starts a group with an HTTP server that answers with the handler.
func serve(t testing.TB, cfg listen.Config, d listen.Deps, h http.Handler) *listen.Group {
	t.Helper()
	g := listen.New("main", cfg, d)
	if err := g.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	listen.Prepare(srv)
	g.Serve(srv.Serve)
	t.Cleanup(func() { g.Close(); _ = srv.Close() })
	return g
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })

func dial(t testing.TB, g *listen.Group) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", g.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// request sends one request and reads its answer.
func request(c net.Conn) error {
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func TestBindFailureAtStartIsAnError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	d, _, _ := deps(t)
	g := listen.New("main", listen.Config{Addresses: []string{"127.0.0.1:0", taken.Addr().String()}}, d)
	err = g.Bind(t.Context())
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v", err)
	}
	if got := g.Addrs(); len(got) != 0 {
		t.Errorf("%v stayed bound", got)
	}
}

func TestApplyFollowsAddresses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, log, _ := deps(t)
	var told [][]netip.AddrPort
	var mu sync.Mutex
	d.Listening = func(a []netip.AddrPort) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, a)
	}
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}}, d, ok)
	old := dial(t, g)
	if err := request(old); err != nil {
		t.Fatal(err)
	}
	first := g.Addrs()[0]

	// The port is taken: logged once at ERROR, then tried again in silence, and bound when it becomes free.
	g.Apply(t.Context(), listen.Config{Addresses: []string{taken.Addr().String(), "127.0.0.1:0", "Bad Name", "_srv"}})
	if got := g.Addrs(); !slices.Equal(got, []netip.AddrPort{first}) {
		t.Errorf("bound %v, want %v kept", got, first)
	}
	log.await(t, "DEBUG Error listening", 2)
	if n := log.count("ERROR Error listening"); n != 1 {
		t.Errorf("%d errors, want 1", n)
	}
	if n := log.count("WARN Error parsing name"); n != 1 {
		t.Errorf("%d warnings about the name, want 1", n)
	}
	addr := taken.Addr().String()
	_ = taken.Close()
	log.await(t, "INFO Listening listener=main address="+addr, 1)

	// The first address vanishes: no new connections, the old one lives.
	g.Apply(t.Context(), listen.Config{Addresses: []string{addr}})
	if c, err := net.Dial("tcp", first.String()); err == nil {
		_ = c.Close()
		t.Error("the old address still accepts")
	}
	if err := request(old); err != nil {
		t.Errorf("the old connection: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 3 || len(told[1]) != 2 || len(told[2]) != 1 {
		t.Errorf("told %v", told)
	}
}

// names is a resolver whose answers change.
type names struct {
	mu  sync.Mutex
	ips []netip.Addr
	err error
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.ips), n.err
}

func (n *names) set(err error, ips ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err, n.ips = err, nil
	for _, ip := range ips {
		n.ips = append(n.ips, netip.MustParseAddr(ip))
	}
}

func TestNamesAreResolvedAgain(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()

	d, log, _ := deps(t)
	res := &names{}
	d.Resolver = res
	told := make(chan []netip.AddrPort, 10)
	d.Listening = func(a []netip.AddrPort) { told <- a }
	res.set(errors.New("no such host"))
	g := serve(t, listen.Config{Addresses: []string{fmt.Sprintf("svc:%d", port)}}, d, ok)
	log.await(t, "WARN Error resolving name", 1)

	res.set(nil, "127.0.0.2", "::ffff:127.0.0.3")
	if a := <-told; len(a) != 2 || a[1].Addr() != netip.MustParseAddr("127.0.0.3") {
		t.Errorf("told %v", a)
	}
	res.set(nil, "127.0.0.3")
	if a := <-told; len(a) != 1 {
		t.Errorf("told %v", a)
	}
	res.set(errors.New("timeout")) // a hiccup closes nothing
	log.await(t, "DEBUG Error resolving name", 2)
	c := dial(t, g)
	if err := request(c); err != nil {
		t.Error(err)
	}
	if len(told) != 0 {
		t.Errorf("told %v besides", <-told)
	}
}

func TestLimitIsShared(t *testing.T) {
	t.Parallel()
	d, log, reg := deps(t)
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0", "127.0.0.2:0"}, MaxConnections: 2}, d, ok)
	addrs := g.Addrs()
	open := func(i int) net.Conn {
		c, err := net.Dial("tcp", addrs[i].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	a, b := open(0), open(1)
	for _, c := range []net.Conn{a, b} {
		if err := request(c); err != nil {
			t.Fatal(err)
		}
	}
	third := open(0)
	log.await(t, "WARN Connection limit is reached", 1)
	answered := make(chan error, 1)
	go func() { answered <- request(third) }()
	select {
	case err := <-answered:
		t.Fatalf("the third connection was served: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if g.Open() != 2 {
		t.Errorf("%d open", g.Open())
	}
	_ = a.Close()
	if err := <-answered; err != nil {
		t.Errorf("the third connection, after one left: %v", err)
	}
	fourth := open(1)
	go func() { answered <- request(fourth) }()
	select {
	case err := <-answered:
		t.Fatalf("the fourth connection was served: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	g.Apply(t.Context(), listen.Config{Addresses: []string{"127.0.0.1:0", "127.0.0.2:0"}, MaxConnections: 3})
	if err := <-answered; err != nil {
		t.Errorf("the fourth connection, after the limit was raised: %v", err)
	}
	if n := log.count("Connection limit"); n != 1 {
		t.Errorf("%d warnings within a minute", n)
	}
	if got := metric(t, reg, "swindon_listener_limit_waits_total"); got != 2 {
		t.Errorf("counted %v waits", got)
	}
	if got := metric(t, reg, "swindon_listener_connections"); got != 3 {
		t.Errorf("%v open connections in the gauge", got)
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestCloseEndsWaiters(t *testing.T) {
	t.Parallel()
	d, log, _ := deps(t)
	g := serve(t, listen.Config{Addresses: []string{"127.0.0.1:0"}, MaxConnections: 1}, d, ok)
	first := dial(t, g)
	if err := request(first); err != nil {
		t.Fatal(err)
	}
	second := dial(t, g)
	log.await(t, "Connection limit is reached", 1)
	g.Close() // returns although an accept waits for a place
	if err := request(second); err == nil {
		t.Error("the waiting connection was served after Close")
	}
	if err := request(first); err != nil {
		t.Errorf("the open connection: %v", err)
	}
}

func TestWildcardsOfBothFamilies(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	port := probe.Addr().(*net.TCPAddr).Port
	_ = probe.Close()
	d, _, _ := deps(t)
	g := listen.New("main", listen.Config{Addresses: []string{fmt.Sprintf("[::]:%d", port), fmt.Sprintf("0.0.0.0:%d", port)}}, d)
	defer g.Close()
	if err := g.Bind(t.Context()); err != nil {
		t.Error(err)
	}
}

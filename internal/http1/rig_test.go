package http1_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/swindon-go/swindon/internal/http1"
	"github.com/swindon-go/swindon/internal/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a running server.
type rig struct {
	group *listen.Group
	conns *listen.Drainer
	full  *http.Server
	addr  string
}

// limits are long enough for every test that is not about them.
var limits = listen.Timeouts{FirstByte: time.Minute, Headers: time.Minute, KeepAlive: time.Minute}

// start runs our server for a handler; without ours net/http's alone, to compare with.
func start(t testing.TB, ours bool, timeouts listen.Timeouts, h http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{conns: &listen.Drainer{}}
	r.full = &http.Server{
		Handler: h, ConnState: r.conns.Track, DisableGeneralOptionsHandler: true, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
	}
	listen.Prepare(r.full)
	m, err := listen.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r.group = listen.New("main", listen.Config{Addresses: []string{"127.0.0.1:0"}, Timeouts: timeouts},
		listen.Deps{Log: slog.New(slog.DiscardHandler), Metrics: m})
	if err := r.group.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ours {
		r.group.Serve(http1.New(r.full, r.conns).Serve)
	} else {
		r.group.Serve(r.full.Serve)
	}
	r.addr = r.group.Addrs()[0].String()
	t.Cleanup(func() {
		r.group.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = r.conns.Drain(ctx, r.full)
		r.conns.Close()
		_ = r.full.Close()
	})
	return r
}

func (r *rig) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c.(*net.TCPConn)
}

// exchange sends bytes, the second part a little later than the first, ends its side and returns all that is answered.
func (r *rig) exchange(t testing.TB, first, second string) string {
	t.Helper()
	c := r.dial(t)
	_, _ = io.WriteString(c, first)
	if second != "" {
		time.Sleep(time.Millisecond) // so that most are read in two parts
		_, _ = io.WriteString(c, second)
	}
	_ = c.CloseWrite()
	b, _ := io.ReadAll(c) // it may end with a reset where a body was not read
	return string(b)
}

// read reads a response with its body.
func read(t testing.TB, br *bufio.Reader, method string) (*http.Response, string) {
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
	return res, string(b)
}

// normal is an answer without what may differ: the order of the fields of a head and the date.
func normal(answer string) string {
	var out strings.Builder
	for answer != "" {
		head, rest, whole := strings.Cut(answer, "\r\n\r\n")
		if !whole || !strings.HasPrefix(head, "HTTP/1.") {
			out.WriteString(answer)
			break
		}
		line, fields, _ := strings.Cut(head, "\r\n")
		var keep []string
		for f := range strings.SplitSeq(fields, "\r\n") {
			if !strings.HasPrefix(f, "Date: ") {
				keep = append(keep, f)
			}
		}
		sort.Strings(keep)
		out.WriteString(line + "\n" + strings.Join(keep, "\n") + "\n\n")
		body, next := rest, ""
		if i := strings.Index(rest, "HTTP/1."); i >= 0 { // no body in these tests has that
			body, next = rest[:i], rest[i:]
		}
		out.WriteString(body)
		answer = next
	}
	return out.String()
}

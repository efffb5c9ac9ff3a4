package edge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/web"
)

// show answers with what the record says.
func show(w http.ResponseWriter, r *http.Request) {
	rec := web.RecordOf(r)
	fmt.Fprintf(w, "%s|%s|%s|%s|%d|%s", rec.Host, rec.RawHost, rec.Target, rec.Suffix, rec.Form, rec.Peer)
}

func TestTargetsAndHosts(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*": "show", "a.org/x": "show", "b.org": "missing"}, map[string]http.HandlerFunc{"show": show})
	for _, tc := range []struct {
		target, host string
		status       int
		body         string
	}{
		{"/x?y", "a.org:8080", 200, "a.org|a.org:8080|/x?y|?y|0|127.0.0.1"},
		{"/x/%2fy//../z", "a.org", 200, "a.org|a.org|/x/%2fy//../z|/%2fy//../z|0|127.0.0.1"},
		{"//x", "c.org", 200, "c.org|c.org|//x|//x|0|127.0.0.1"},
		{"http://a.org:1/x", "b.org", 200, "a.org|a.org:1|/x||1|127.0.0.1"},
		{"https://c.org", "b.org", 200, "c.org|c.org|/|/|1|127.0.0.1"},
		{"http://c.org?q", "b.org", 200, "c.org|c.org|/?q|/?q|1|127.0.0.1"},
		{"*", "c.org", 200, "c.org|c.org|/|/|2|127.0.0.1"},
		{"localhost:80", "b.org", 200, "localhost|localhost:80|/|/|3|127.0.0.1"},
		{"/", "", 200, "||/|/|0|127.0.0.1"},
		{"/", "[::1]:80", 200, "[|[::1]:80|/|/|0|127.0.0.1"},
		{"/100%", "c.org", 200, "c.org|c.org|/100%|/100%|0|127.0.0.1"},
		{"/x/%zz?%", "a.org", 200, "a.org|a.org|/x/%zz?%|/%zz?%|0|127.0.0.1"},
		{"/y", "a.org", 404, ""},
		{"/", "b.org", 404, ""},
		{"ftp://a.org/x", "a.org", 400, ""},
		{"http:///x", "a.org", 400, ""},
		{"x", "a.org", 400, ""},
		{"/a\"b", "a.org", 400, ""},
		{"/<a>", "a.org", 400, ""},
		{"/é", "a.org", 400, ""},
	} {
		for _, method := range []string{"GET", "OPTIONS", "XXX"} {
			a := r.get(t, method, tc.target, tc.host)
			if a.StatusCode != tc.status || tc.body != "" && a.body != tc.body {
				t.Errorf("%s %s at %q: got %d %q", method, tc.target, tc.host, a.StatusCode, a.body)
			}
		}
	}
	if a := r.get(t, "CONNECT", "a.org:80", "a.org:80"); a.StatusCode != 400 {
		t.Errorf("CONNECT: got %d", a.StatusCode)
	}
}

func TestWithoutHost(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.DebugRouting = true
	r := start(t, cfg, map[string]string{"*": "show @deny"}, map[string]http.HandlerFunc{"show": show})
	got := r.raw(t, "GET / HTTP/1.0\n\n")
	if !strings.HasPrefix(got, "HTTP/1.0 404 Not Found\n") || !strings.Contains(got, "\nX-Swindon-Route: -- no route --\n") ||
		strings.Contains(got, "X-Swindon-Authorizer") || !strings.Contains(got, "\nConnection: close\n") {
		t.Errorf("got %q", got)
	}
	if got := r.raw(t, "GET http://h/ HTTP/1.0\n\n"); !strings.HasPrefix(got, "HTTP/1.0 403 ") {
		t.Errorf("absolute target: got %q", got)
	}
	if got := r.raw(t, "GET / HTTP/1.1\n\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("HTTP/1.1: got %q", got)
	}
}

func TestVersionsAndPersistence(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*": "show"}, map[string]http.HandlerFunc{"show": show})
	for _, tc := range []struct{ request, line, connection string }{
		{"GET / HTTP/1.0\nHost: h\n\n", "HTTP/1.0 200 OK", "close"},
		{"GET / HTTP/1.0\nHost: h\nConnection: keep-alive\n\n", "HTTP/1.0 200 OK", "close"},
		{"GET / HTTP/1.1\nHost: h\nConnection: close\n\n", "HTTP/1.1 200 OK", "close"},
		{"HEAD / HTTP/1.0\nHost: h\n\n", "HTTP/1.0 200 OK", "close"},
		{"GET / HTTP/1.2\nHost: h\n\n", "HTTP/1.1 400 Bad Request", "close"},
		{"PRI * HTTP/2.0\n\nSM\n\n", "HTTP/1.1 400 Bad Request", "close"},
	} {
		got := r.raw(t, tc.request)
		head, _, _ := strings.Cut(got, "\n\n")
		if !strings.HasPrefix(head, tc.line+"\n") || strings.Count(head+"\n", "\nConnection: "+tc.connection+"\n") != 1 {
			t.Errorf("%q: got %q", tc.request, head)
		}
	}
	// Two on one connection, pipelined, in order; the second closes.
	got := r.raw(t, "GET /1 HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\nConnection: close\n\n")
	if one, two := strings.Index(got, "|/1|"), strings.Index(got, "|/2|"); one < 0 || two < one || strings.Count(got, "Connection: close") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestCommonHeaders(t *testing.T) {
	t.Parallel()
	for _, debug := range []bool{false, true} {
		cfg := config()
		cfg.DebugRouting = debug
		r := start(t, cfg, map[string]string{"h": "show", "h/no": "show @deny", "h/silent": "silent"}, map[string]http.HandlerFunc{
			"show": show, "silent": func(http.ResponseWriter, *http.Request) {},
		})
		for _, tc := range []struct {
			host, path string
			status     int
			want       map[string]string
		}{
			{"h", "/", 200, map[string]string{"X-Swindon-Route": "show", "X-Swindon-Authorizer": "default"}},
			{"h", "/silent", 200, map[string]string{"X-Swindon-Route": "silent", "X-Swindon-Authorizer": "default"}},
			{"h", "/no", 403, map[string]string{"X-Swindon-Route": "show", "X-Swindon-Authorizer": "deny", "X-Swindon-Allow": "one, two", "X-Swindon-Deny": "because"}},
			{"sub.h", "/", 404, map[string]string{"X-Swindon-Route": "default", "X-Swindon-Authorizer": "default"}},
			{"other", "/", 404, map[string]string{"X-Swindon-Route": "-- no route --"}},
		} {
			a := r.get(t, "GET", tc.path, tc.host)
			if a.StatusCode != tc.status || len(a.Header["Server"]) != 1 || a.Header.Get("Server") != "swindon/test" || len(a.Header["Date"]) != 1 {
				t.Errorf("%s%s: got %d %v", tc.host, tc.path, a.StatusCode, a.Header)
			}
			for _, name := range []string{"X-Swindon-Route", "X-Swindon-Authorizer", "X-Swindon-Allow", "X-Swindon-Deny"} {
				want := tc.want[name]
				if !debug {
					want = ""
				}
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s%s, debug %v: %s is %q, want %q", tc.host, tc.path, debug, name, got, want)
				}
			}
			if id := a.Header.Get("X-Swindon-Request-Id"); len(id) != map[bool]int{true: ident.Len}[debug] {
				t.Errorf("debug %v: request id %q", debug, id)
			}
			if tc.path == "/silent" && a.Header.Get("Content-Length") != "0" {
				t.Errorf("empty answer: %v", a.Header)
			}
		}
	}
	cfg := config()
	cfg.ServerName = ""
	r := start(t, cfg, nil, nil)
	if a := r.get(t, "GET", "/", "h"); a.Header["Server"] != nil {
		t.Errorf("server-name null: got %v", a.Header)
	}
}

// The authorizer guards the default handler, too.
func TestAuthorizerComesFirst(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*.h": "show @deny", "a.h/x": "show"}, map[string]http.HandlerFunc{"show": show})
	if a := r.get(t, "GET", "/y", "a.h"); a.StatusCode != 403 || len(a.body) != 203 {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
}

func TestApplySwapsTheTable(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := start(t, config(), map[string]string{"h": "wait"}, map[string]http.HandlerFunc{"wait": func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "old")
	}})
	done := make(chan answer)
	go func() { done <- r.get(t, "GET", "/", "h") }()
	<-begun
	cfg := config()
	cfg.ServerName = "new"
	r.Apply(routes(t, cfg, map[string]string{"h": "show"}, map[string]http.HandlerFunc{"show": show}))
	if a := r.get(t, "GET", "/", "h"); !strings.HasPrefix(a.body, "h|") || a.Header.Get("Server") != "new" {
		t.Errorf("got %q %v", a.body, a.Header)
	}
	close(goOn)
	if a := <-done; a.body != "old" || a.Header.Get("Server") != "swindon/test" {
		t.Errorf("the request that had begun got %q %v", a.body, a.Header)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.DebugLogging = true
	cfg.RequestLog, _ = edge.ParseLogFormat("{{ request.path }} {{ response.status_code }}")
	r := start(t, cfg, map[string]string{"h/early": "early", "h/late": "late", "h/abort": "abort", "h": "show"}, map[string]http.HandlerFunc{
		"early": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", "x"); panic("early bird") },
		"late": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			panic("late bird")
		},
		"abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"show":  show,
	})
	a := r.get(t, "GET", "/early", "h")
	if a.StatusCode != 500 || len(a.body) != 227 || a.Header.Get("Etag") != "" || a.Header.Get("Server") == "" {
		t.Errorf("got %d %q %v", a.StatusCode, a.body, a.Header)
	}
	if got := r.raw(t, "GET /late HTTP/1.1\nHost: h\n\n"); strings.HasSuffix(got, "half") && !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("late: got %q", got)
	}
	if got := r.raw(t, "GET /abort HTTP/1.1\nHost: h\n\n"); got != "" {
		t.Errorf("abort: got %q", got)
	}
	if a := r.get(t, "GET", "/", "h"); a.StatusCode != 200 {
		t.Errorf("afterwards: got %d", a.StatusCode)
	}
	log := r.log.String()
	for _, want := range []string{"early bird", "late bird"} {
		if strings.Count(log, `panic="`+want) != 1 {
			t.Errorf("no record of %q in %s", want, log)
		}
	}
	if strings.Contains(log, "abort Handler") {
		t.Errorf("an abort was logged: %s", log)
	}
	if got, want := r.lines.String(), "/early 500\n/late 200\n/abort 0\n/ 200\n"; got != want {
		t.Errorf("request log %q, want %q", got, want)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*": "show"}, map[string]http.HandlerFunc{"show": show})
	for _, req := range []string{
		"GARBAGE\n\n",
		"GET / HTTP/1.1\nHost: h\nHost: i\n\n",
		"GET / HTTP/1.1\nHost: h\nContent-Length: x\n\n",
		"GET / HTTP/1.1\nHost: h\nContent-Length: 1\nContent-Length: 2\n\n",
		"GET / HTTP/1.1\nHost: h\n bad\n: x\n\n",
		"GET / HTTP/1.1\nHost: h\nA b: c\n\n",
		"GET / HTTP/1.1\nHost: h i\n\n",
	} {
		if got := r.raw(t, req); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q: got %q", req, got)
		}
	}
	big := "GET / HTTP/1.1\nHost: h\nX: " + strings.Repeat("x", 80<<10) + "\n\n"
	c := r.dial(t)
	_, _ = io.WriteString(c, strings.ReplaceAll(big, "\n", "\r\n"))
	if a := read(t, bufio.NewReader(c), "GET"); a.StatusCode != 431 {
		t.Errorf("80 KiB of head: got %d", a.StatusCode)
	}
	if a := r.get(t, "GET", "/", "h", "X: "+strings.Repeat("x", 60<<10)); a.StatusCode != 200 {
		t.Errorf("60 KiB of head: got %d", a.StatusCode)
	}
	if n := r.Requests(); n != 1 {
		t.Errorf("counted %d requests", n)
	}
}

// Handlers that do not read a body answer all the same: a small one is dropped, a big one ends the connection.
func TestUnreadBodies(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*": "show"}, map[string]http.HandlerFunc{"show": show})
	for _, body := range []string{"Content-Length: 5\n\nhello", "Transfer-Encoding: chunked\n\n5\nhello\n0\n\n", "Content-Length: 0\n\n"} {
		got := r.raw(t, "POST /1 HTTP/1.1\nHost: h\n"+body+"GET /2 HTTP/1.1\nHost: h\nConnection: close\n\n")
		if strings.Count(got, "HTTP/1.1 200 OK") != 2 || !strings.Contains(got, "|/2|") {
			t.Errorf("%q: got %q", body, got)
		}
	}
	got := r.raw(t, "POST / HTTP/1.1\nHost: h\nContent-Length: 100000000\n\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || !strings.Contains(got, "\nConnection: close\n") {
		t.Errorf("big body: got %q", got)
	}
}

func TestBodyAndResponseTimeouts(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.InputBodyWholeTimeout = 50 * time.Millisecond
	errs := make(chan error, 1)
	r := start(t, cfg, map[string]string{"*": "read"}, map[string]http.HandlerFunc{"read": func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		errs <- err
		panic(http.ErrAbortHandler)
	}})
	if got := r.raw(t, "POST / HTTP/1.1\nHost: h\nContent-Length: 5\n\nhell"); got != "" {
		t.Errorf("slow body: got %q", got)
	}
	var ne net.Error
	if err := <-errs; !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("slow body: handler got %v", err)
	}

	cfg = config()
	cfg.OutputBodyWholeTimeout = 50 * time.Millisecond
	r = start(t, cfg, map[string]string{"*": "hang", "*/fast": "show"}, map[string]http.HandlerFunc{"show": show, "hang": func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // closing the connection cancels the request
		errs <- r.Context().Err()
	}})
	c := r.dial(t)
	br := bufio.NewReader(c)
	for range 3 { // idle time between responses does not count
		_, _ = io.WriteString(c, "GET /fast HTTP/1.1\r\nHost: h\r\n\r\n")
		if a := read(t, br, "GET"); a.StatusCode != 200 {
			t.Fatalf("got %d", a.StatusCode)
		}
		time.Sleep(30 * time.Millisecond)
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if b, err := io.ReadAll(br); len(b) != 0 || err != nil {
		t.Errorf("hanging handler: got %q, %v", b, err)
	}
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("hanging handler: got %v", err)
	}
}

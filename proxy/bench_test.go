package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/web"
)

// fastAnswer serves requests without a body, with as little work of its own as possible.
func fastAnswer(response string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		out := []byte(response)
		for {
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			r.Discard(r.Buffered())
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

// sink is a response writer that keeps its header map between requests, so that only our own allocations count.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Flush()                      {}

const kibResponse = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 1024\r\nConnection: keep-alive\r\n\r\n"

func benchHandler(tb testing.TB) (*Handler, *http.Request) {
	b := startRaw(tb, fastAnswer(kibResponse+strings.Repeat("x", 1024)))
	d := newTestDestination(tb, testConfig(b.addr), Deps{})
	cfg := DefaultHandlerConfig()
	cfg.Destination = names.Destination{Name: "backend", Path: "/"}
	cfg.IPHeader = "X-Real-Ip"
	h := NewHandler(cfg, func(string) *Destination { return d }, nil)
	r := httptest.NewRequestWithContext(context.Background(), "GET", "http://example.com/some/path?query", http.NoBody)
	r.Header = http.Header{"User-Agent": {"benchmark"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}}
	rec := &web.Record{ID: strings.Repeat("i", 32), Peer: netip.MustParseAddr("127.0.0.1"), RawHost: "example.com", Target: "/some/path?query"}
	ctx, cancel := context.WithCancel(web.WithRecord(context.Background(), rec))
	tb.Cleanup(cancel)
	return h, r.WithContext(ctx)
}

func BenchmarkProxy(b *testing.B) {
	h, r := benchHandler(b)
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkProxyParallel(b *testing.B) {
	h, r := benchHandler(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		w := &sink{header: http.Header{}}
		for pb.Next() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}
	})
}

func BenchmarkCall(b *testing.B) {
	be := startRaw(b, fastAnswer("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 128\r\n\r\n"+strings.Repeat("1", 128)))
	d := newTestDestination(b, testConfig(be.addr), Deps{})
	call := &port.Call{
		Path: "/room/say", RequestID: "abc-1-2", Body: []byte(strings.Repeat("1", 128)),
		Fields: []port.Field{{Name: "Authorization", Value: "Swindon+json eyJ1c2VyX2lkIjoiYW5uIn0="}, {Name: "Content-Type", Value: "application/json"}},
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Call(ctx, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeadParse(b *testing.B) {
	var h head
	p := []byte(kibResponse)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.parse(p); err != nil {
			b.Fatal(err)
		}
	}
}

// A proxied request with a small response costs few allocations: the head's text and the values of its headers.
func TestProxyAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	h, r := benchHandler(t)
	w := &sink{header: http.Header{}}
	run := func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	run()
	if n := testing.AllocsPerRun(200, run); n > 3 {
		t.Errorf("%v allocations per request, want at most 3", n)
	}
}

// A proxied request whose headers come from anywhere is one request to the backend, whatever they hold.
func FuzzRequest(f *testing.F) {
	f.Add("X-A", "b", "close", "h")
	f.Add("Transfer-Encoding", "chunked", "X-A", "h:1")
	f.Add("Content-Length", "5", "Content-Length", "h")
	f.Add("A\r\nB", "c\r\n\r\nGET / HTTP/1.1", "keep-alive, host", "h")
	f.Fuzz(func(t *testing.T, name, value, connection, host string) {
		if !validValue(host) || host == "" || strings.TrimSpace(host) != host {
			return // the server refuses it
		}
		x := &exchange{set: &settings{idHeader: "X-Request-Id"}}
		h := &Handler{ipHeader: "X-Real-Ip"}
		r := &http.Request{Method: "POST", Header: http.Header{
			http.CanonicalHeaderKey(name): {value, value}, "Connection": {connection}, "Accept": {"x"},
		}}
		rec := &web.Record{ID: "id", Peer: netip.MustParseAddr("::1"), RawHost: host, Target: "/t"}
		h.writeRequest(x, r, rec, 3, "")
		text := string(x.out)
		lines := strings.Split(text, "\r\n")
		for i, line := range lines[1 : len(lines)-2] {
			field, v, ok := strings.Cut(line, ": ")
			if !ok || !validToken(field) || !validValue(v) {
				t.Fatalf("line %d of %q", i+1, text)
			}
		}
		if strings.Count(text, "\r\nContent-Length: ") != 1 || strings.Count(text, "\r\nHost: ") != 1 ||
			strings.Contains(text, "\r\nTransfer-Encoding: ") || !strings.HasSuffix(text, "\r\nContent-Length: 3\r\n\r\n") {
			t.Fatalf("framing of %q", text)
		}
		br := bufio.NewReader(strings.NewReader(text + "abc"))
		if req, err := http.ReadRequest(br); err == nil { // it looks at Host more closely
			if p, err := io.ReadAll(req.Body); err != nil || string(p) != "abc" || br.Buffered() != 0 {
				t.Fatalf("%q is read as body %q, %v", text, p, err)
			}
		}
	})
}

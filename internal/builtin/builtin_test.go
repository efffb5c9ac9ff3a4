package builtin

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/web"
)

var discard = slog.New(slog.DiscardHandler)

// serve runs a handler under a real server; the record's host and target come from the request line.
func serve(t *testing.T, h http.Handler, method, host, target string) *http.Response {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &web.Record{RawHost: r.Host, Host: r.Host, Target: r.RequestURI, Suffix: r.RequestURI}
		h.ServeHTTP(web.NewWriter(w, rec), r.WithContext(web.WithRecord(r.Context(), rec)))
	}))
	t.Cleanup(srv.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "UPDATED", "DELETE", "XXX", "OPTIONS"}

func TestErrorHandlers(t *testing.T) {
	t.Parallel()
	for h, status := range map[http.Handler]int{NotFound{}: 404, NotImplemented{}: 501} {
		for _, m := range methods {
			res := serve(t, h, m, "h", "/x")
			if got := body(t, res); res.StatusCode != status || m != "HEAD" && !strings.Contains(got, "Yours faithfully") {
				t.Errorf("%s: got %d %q", m, res.StatusCode, got)
			}
		}
	}
}

func TestEmptyGif(t *testing.T) {
	t.Parallel()
	plain := NewEmptyGif(EmptyGifConfig{}, discard)
	extra := NewEmptyGif(EmptyGifConfig{ExtraHeaders: map[string]string{"content-type": "x/y", "X-A": "b", "Content-Length": "100500"}}, discard)
	for _, m := range methods {
		res := serve(t, plain, m, "h", "/any/path?q")
		want := string(gif)
		if m == "HEAD" {
			want = ""
		}
		if got := body(t, res); got != want || res.StatusCode != 200 || res.ContentLength != 26 || res.Header.Get("Content-Type") != "image/gif" {
			t.Errorf("%s: got %d %q %v", m, res.StatusCode, got, res.Header)
		}
		res = serve(t, extra, m, "h", "/")
		if ct := res.Header["Content-Type"]; len(ct) != 1 || ct[0] != "x/y" || res.Header.Get("X-A") != "b" || res.ContentLength != 26 {
			t.Errorf("%s: got %v", m, res.Header)
		}
	}
	if len(gif) != 26 {
		t.Errorf("%d bytes", len(gif))
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	base := NewBaseRedirect(BaseRedirectConfig{RedirectToDomain: "localhost"})
	for _, tc := range []struct {
		h            http.Handler
		host, target string
		location     string // empty: 404
	}{
		{base, "example.com:8080", "/empty.gif", "http://localhost/empty.gif"},
		{base, "x", "/a%20b/../c?d=e&f", "http://localhost/a%20b/../c?d=e&f"},
		{StripWWWRedirect{}, "www.example.com:8080", "/x?y", "http://example.com:8080/x?y"},
		{StripWWWRedirect{}, "WwW.Example.com", "/", "http://Example.com/"},
		{StripWWWRedirect{}, "www.", "/", ""},
		{StripWWWRedirect{}, "wwwx.com", "/", ""},
		{StripWWWRedirect{}, "example.com", "/", ""},
	} {
		for _, m := range methods {
			res := serve(t, tc.h, m, tc.host, tc.target)
			got := body(t, res)
			if tc.location == "" {
				if res.StatusCode != 404 {
					t.Errorf("%s %s: got %d", m, tc.host, res.StatusCode)
				}
				continue
			}
			if res.StatusCode != 301 || got != "" || res.Header.Get("Location") != tc.location || res.Header.Get("Content-Length") != "0" || res.Header["Content-Type"] != nil {
				t.Errorf("%s %s%s: got %d %q %v", m, tc.host, tc.target, res.StatusCode, got, res.Header)
			}
		}
	}
}

// proc writes a small /proc.
func proc(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func stat(pid, name, user, system, children string) string {
	return pid + " (" + name + ") S 1 2 3 4 5 6 7 8 9 10 " + user + " " + system + " " + children + " 0 20 0 5 0 500 1 2 3\n"
}

func TestSampler(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.UnixMilli(1_700_000_000_000)
	proc(t, dir, map[string]string{
		"self/stat": stat("7", "a) b (c", "100", "50", "0"), "self/task/7/stat": stat("7", "swindon", "60", "40", "0"),
		"self/task/9/stat": stat("9", "swindon", "40", "10", "0"),
		"stat":             "cpu  100 0 100 700 100 0 0 0 5 5\ncpu0 1 2 3 4\nbtime 1600000000\n", "uptime": "1234.56 99.0\n",
		"self/status": "Name:\tswindon\nVmPeak:\t 300 kB\nVmSize:\t 200 kB\nVmHWM:\t 100 kB\nVmRSS:\t 50 kB\nVmSwap:\t 8 kB\n",
		"self/io":     "rchar: 1000\nwchar: 0\nsyscr: 5\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
	})
	s := newSampler(dir, func() time.Time { return now })
	now = now.Add(900 * time.Millisecond)
	if _, _, ok := s.Sample(); ok {
		t.Error("a sample within the first second")
	}
	now = now.Add(1100 * time.Millisecond)
	proc(t, dir, map[string]string{
		"self/stat": stat("7", "a) b (c", "200", "100", "40"), "self/task/7/stat": stat("7", "swindon", "160", "40", "0"),
		"self/task/10/stat": stat("10", "swindon", "0", "50", "0"),
		"stat":              "cpu  200 0 100 800 200 0 0 0 5 5\nbtime 1600000000\n", "uptime": "1236.56 99.0\n",
		"self/io": "rchar: 3000\nwchar: 400\nsyscr: 15\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
	})
	p, threads, ok := s.Sample()
	if !ok {
		t.Fatal("no sample")
	}
	want := Process{
		Timestamp: 1_700_000_002_000, Duration: 2000, StartTime: 1_600_000_005_000, SystemUptime: 1_236_560,
		GlobalCPU: 100. / 3, ProcessCPU: 75, GrossCPU: 95,
		MemoryRSS: 50 << 10, MemoryVirtual: 200 << 10, MemorySwap: 8 << 10,
		MemoryRSSPeak: 100 << 10, MemoryVirtualPeak: 300 << 10, MemorySwapPeak: 8 << 10,
		IORead: 1000, IOWrite: 200, IOReadOps: 5,
	}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	wantThreads := map[string]Thread{
		"main": {CPU: 50, User: 50}, "swindon-9": {}, "swindon-10": {CPU: 25, System: 25},
	}
	if d := cmp.Diff(wantThreads, threads); d != "" {
		t.Error(d)
	}
}

func TestSamplerWithoutProc(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	s := newSampler(filepath.Join(t.TempDir(), "none"), func() time.Time { return now })
	now = now.Add(time.Minute)
	if _, _, ok := s.Sample(); ok {
		t.Error("a sample of nothing")
	}
}

func TestSelfStatus(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := Status{
		Version: "1.2.3", Fingerprint: func() string { return "abc" }, Sampler: NewSampler(func() time.Time { return now }),
		Metrics: func() []Metric {
			return []Metric{{Group: "g", Name: "c", Value: 3}, {Group: "g", Name: "l", Level: true, Value: -1}}
		},
	}
	h := NewSelfStatus(SelfStatusConfig{ExtraHeaders: map[string]string{"X-A": "b"}}, s, discard)
	res := serve(t, h, "GET", "h", "/")
	const want = `{"process":null,"threads":{},"metrics":[[{"group":"g","metric":"c"},["counter",3]],[{"group":"g","metric":"l"},["level",-1]]],"config_fingerprint":"abc","version":"1.2.3"}`
	if got := body(t, res); got != want || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("X-A") != "b" {
		t.Errorf("got %d %s %v", res.StatusCode, got, res.Header)
	}
	now = now.Add(2 * time.Second)
	for _, m := range methods {
		res := serve(t, h, m, "h", "/sub/path")
		text := body(t, res)
		if m == "HEAD" {
			if res.StatusCode != 200 || text != "" {
				t.Errorf("HEAD: got %d %q", res.StatusCode, text)
			}
			continue
		}
		var got struct {
			Process *Process
			Threads map[string]Thread
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Process == nil || got.Process.MemoryRSS <= 0 || len(got.Threads) == 0 {
			t.Errorf("%s: got %s, %v", m, text, err)
		}
		if !strings.HasPrefix(text, `{"process":{"timestamp":`) {
			t.Errorf("%s: order of keys: %.80s", m, text)
		}
	}
	typed := NewSelfStatus(SelfStatusConfig{ExtraHeaders: map[string]string{"content-type": "text/plain"}}, s, discard)
	if res := serve(t, typed, "GET", "h", "/"); len(res.Header["Content-Type"]) != 1 || res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %v", res.Header)
	}
}

func FuzzProc(f *testing.F) {
	f.Add([]byte(stat("7", "a) b (c", "1", "2", "3")))
	f.Add([]byte("cpu 1 2 3 4 5 6\nbtime x"))
	f.Add([]byte("VmRSS:\t 50 kB\n:\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		parseStat(b)
		parseSystem(b)
		parseFields(b)
		parseUptime(b)
	})
}

package static

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/swindon-go/swindon/internal/web"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func pools() *Pools { return NewPools(nil, quiet()) }

// edge stands in for internal/edge: it makes the record as that does, with the route at /static.
func edge(h http.Handler, debug bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		rec := &web.Record{
			Target: r.RequestURI, Suffix: strings.TrimPrefix(r.RequestURI, "/static"), Host: host, RawHost: r.Host,
			Route: "files", Debug: debug, ServerName: "swindon/1.0.0", ID: strings.Repeat("0", 32),
		}
		if r.RequestURI == "*" {
			rec.Form, rec.Suffix = web.FormAsterisk, "*"
		}
		r = r.WithContext(web.WithRecord(r.Context(), rec))
		h.ServeHTTP(web.NewWriter(w, rec), r)
	})
}

// do sends one request to a handler without a network.
func do(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.RequestURI = target
	r.Host = "localhost:8080"
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	for k, v := range header {
		r.Header[http.CanonicalHeaderKey(k)] = v
	}
	w := httptest.NewRecorder()
	edge(h, true).ServeHTTP(w, r)
	return w.Result()
}

func get(h http.Handler, target string, header ...string) *http.Response {
	hs := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		hs.Add(header[i], header[i+1])
	}
	return do(h, http.MethodGet, target, hs)
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tree writes files into a new directory: name → content; a name with a slash at its end is a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// handler is a !Static handler for a directory, changed by each of the functions.
func handler(root string, change ...func(*Config)) *Handler {
	cfg := DefaultConfig()
	cfg.Path = root
	for _, f := range change {
		f(&cfg)
	}
	return NewHandler(cfg, pools(), quiet())
}

func wantHeader(t *testing.T, r *http.Response, name, want string) {
	t.Helper()
	got := r.Header.Values(name)
	if want == "" && len(got) == 0 {
		return
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func wantStatus(t *testing.T, r *http.Response, want int) {
	t.Helper()
	if r.StatusCode != want {
		t.Errorf("status %d, want %d", r.StatusCode, want)
	}
	if want >= 400 {
		wantHeader(t, r, "Content-Type", "text/html")
	}
}

func stringsReader(s string) io.Reader { return strings.NewReader(s) }

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// asNobody calls f with the file rights of another user, on a thread of its own that ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread must not serve others
		if os.Geteuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

// syncBuffer is a log's target that may be read meanwhile.
type syncBuffer struct {
	mu  sync.Mutex // protects buf
	buf strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func writeFile(tb testing.TB, root, name, content string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

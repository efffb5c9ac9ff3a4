package static

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/web"
)

// nowhere is a response writer that keeps nothing.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func BenchmarkStatic1KiB(b *testing.B) {
	root := b.TempDir()
	writeFile(b, root, "test.txt", strings.Repeat("x", 1024))
	h := handler(root)
	rec := &web.Record{Target: "/static/test.txt", Suffix: "/test.txt", Host: "localhost"}
	r := httptest.NewRequest(http.MethodGet, "/static/test.txt", nil)
	r = r.WithContext(web.WithRecord(r.Context(), rec))
	w := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkTranslate(b *testing.B) {
	for b.Loop() {
		if _, err := translate("/assets/app/main.js?v=1"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations keeps an eye on what a request costs beyond net/http.
func TestAllocations(t *testing.T) {
	root := tree(t, map[string]string{"test.txt": strings.Repeat("x", 1024)})
	h := handler(root)
	rec := &web.Record{Target: "/static/test.txt", Suffix: "/test.txt", Host: "localhost"}
	r := httptest.NewRequest(http.MethodGet, "/static/test.txt", nil)
	r = r.WithContext(web.WithRecord(r.Context(), rec))
	w := nowhere{http.Header{}}
	if n := testing.AllocsPerRun(200, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}); n > 9 {
		t.Errorf("%v allocations, want 9 at most", n)
	}
}

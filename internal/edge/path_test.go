package edge_test

import (
	"bufio"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/listen"
)

// file counts the reads that do not go through the kernel. It has what net looks for before it uses sendfile, and no
// WriteTo, which would go past Read.
type file struct {
	f     *os.File
	reads *atomic.Int64
}

func (f file) Read(p []byte) (int, error) {
	n, err := f.f.Read(p)
	f.reads.Add(int64(n))
	return n, err
}
func (f file) Stat() (fs.FileInfo, error)                { return f.f.Stat() }
func (f file) Close() error                              { return f.f.Close() }
func (f file) Seek(off int64, whence int) (int64, error) { return f.f.Seek(off, whence) }
func (f file) SyscallConn() (syscall.RawConn, error)     { return f.f.SyscallConn() }

// A file that a handler copies into its writer goes out by sendfile, through all layers of the server.
func TestSendfileThroughAllLayers(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	var reads atomic.Int64
	r := start(t, config(), map[string]string{"*": "send"}, map[string]http.HandlerFunc{"send": func(w http.ResponseWriter, _ *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header()["Content-Type"] = []string{"application/octet-stream"}
		w.Header()["Content-Length"] = []string{strconv.Itoa(size)}
		if n, err := io.CopyN(w, file{f, &reads}, size); n != size || err != nil {
			t.Errorf("copied %d, %v", n, err)
		}
	}})
	if a := r.get(t, "GET", "/", "h"); len(a.body) != size {
		t.Errorf("got %d bytes", len(a.body))
	}
	// net/http reads the first 512 bytes itself.
	if n := reads.Load(); n > 512 {
		t.Errorf("%d bytes went through the program", n)
	}
}

// What the server itself allocates per request, on top of net/http: its id, and the values of Server.
func TestAllocationsPerRequest(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusOK)
	})
	r := start(t, config(), map[string]string{"*": "x"}, map[string]http.HandlerFunc{"x": handler})
	bare := &http.Server{Handler: handler}
	ours := allocations(t, r.dial(t))
	plain := allocations(t, startBare(t, bare).dial(t))
	t.Logf("ours %v, bare %v", ours, plain)
	if extra := ours - plain; extra > 2 {
		t.Errorf("%v allocations more than bare net/http", extra)
	}
}

// startBare serves with net/http alone, on listeners of ours.
func startBare(t testing.TB, srv *http.Server) *rig {
	t.Helper()
	r := start(t, config(), nil, nil)
	m, err := listen.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r.group = listen.New("bare", edge.ListenConfig(config()), listen.Deps{Log: slog.New(slog.DiscardHandler), Metrics: m})
	if err := r.group.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.group.Serve(srv.Serve)
	t.Cleanup(func() { r.group.Close(); _ = srv.Close() })
	return r
}

// allocations measures the whole process per request on one kept connection; the client's part is the same for all.
func allocations(t *testing.T, c net.Conn) float64 {
	t.Helper()
	br := bufio.NewReader(c)
	request := []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	return testing.AllocsPerRun(200, func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				t.Fatal(err)
			}
			if len(line) == 2 {
				return
			}
		}
	})
}

package static

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestBigFile sends more than fits any buffer, whole and in parts, over a real connection.
func TestBigFile(t *testing.T) {
	t.Parallel()
	root := tree(t, nil)
	want := make([]byte, 1<<20+17)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	if err := os.WriteFile(filepath.Join(root, "big.bin"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(edge(handler(root), false))
	defer server.Close()
	for header, want := range map[string][]byte{
		"": want, "bytes=100-": want[100:], "bytes=-100": want[len(want)-100:], "bytes=70000-900000": want[70000:900001], "bytes=0-65535": want[:65536],
		"bytes=0-65536": want[:65537],
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/static/big.bin", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Range", header)
		}
		r, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || !bytes.Equal(got, want) || r.ContentLength != int64(len(want)) {
			t.Errorf("%q: %d bytes of %d, announced %d, %v", header, len(got), len(want), r.ContentLength, err)
		}
	}
}

// spyConn notes what is handed to the socket for sending by sendfile.
type spyConn struct {
	*net.TCPConn
	fromFile *atomic.Int64
}

func (c spyConn) ReadFrom(src io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(src)
	if limited, ok := src.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			c.fromFile.Add(n)
		}
	}
	return n, err
}

type spyListener struct {
	net.Listener
	fromFile *atomic.Int64
}

func (l spyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spyConn{c.(*net.TCPConn), l.fromFile}, nil
}

// TestSendfile sees that a large file reaches the socket as a file, below our response writer.
func TestSendfile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"big.bin": strings.Repeat("x", 1<<20), "small.bin": strings.Repeat("x", smallFile)})
	var fromFile atomic.Int64
	server := httptest.NewUnstartedServer(edge(handler(root), false))
	server.Listener = spyListener{server.Listener, &fromFile}
	server.Start()
	defer server.Close()
	for _, c := range []struct {
		name string
		want int64
	}{{"small.bin", 0}, {"big.bin", 1 << 20}} {
		r, err := http.Get(server.URL + "/static/" + c.name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		// net/http sends the first bytes together with the head.
		if got := fromFile.Load(); got > c.want || got < c.want-4096 {
			t.Errorf("%s: %d bytes by sendfile, want about %d", c.name, got, c.want)
		}
	}
}

// TestTruncated makes a file shorter while it is sent: the client must see that the answer is incomplete, and the
// server must go on.
func TestTruncated(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"big.bin": "", "small.txt": "hello\n"})
	big := filepath.Join(root, "big.bin")
	const size = 256 << 20 // more than the sockets' buffers hold; it is all hole
	if err := os.Truncate(big, size); err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	cfg := DefaultConfig()
	cfg.Path = root
	h := NewHandler(cfg, pools(), slog.New(slog.NewTextHandler(&log, nil)))
	server := httptest.NewServer(edge(h, false))
	defer server.Close()
	r, err := http.Get(server.URL + "/static/big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if err := os.Truncate(big, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r.Body); !errors.Is(err, io.ErrUnexpectedEOF) || n >= size {
		t.Errorf("%d bytes, %v, want an unexpected EOF", n, err)
	}
	if !strings.Contains(log.String(), "File changed while it was sent") {
		t.Errorf("log %q", log.String())
	}
	r2, err := http.Get(server.URL + "/static/small.txt")
	if err != nil {
		t.Fatal(err)
	}
	if b := body(t, r2); b != "hello\n" {
		t.Errorf("next request: %q", b)
	}
	_ = r2.Body.Close()
}

// TestTruncatedSmall does the same between the questions for size and for content.
func TestTruncatedSmall(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"small.txt": "hello\n"})
	h := handler(root)
	server := httptest.NewServer(edge(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j := &job{buf: make([]byte, smallFile)}
		if err := h.pool.enter(r.Context()); err != nil {
			t.Error(err)
			return
		}
		if status := h.find(&j.found, filepath.Join(root, "small.txt"), nil); status != 0 {
			t.Errorf("status %d", status)
			return
		}
		defer j.file.close()
		j.file.stat.Size++
		h.answer(w, r, j)
	}), false))
	defer server.Close()
	r, err := http.Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if b, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q %v, want an unexpected EOF", b, err)
	}
	if len(h.pool.slots) != 0 {
		t.Error("the pool was not left")
	}
}

// TestPoolBounds sees that a request waits for a slot, and that a client that leaves waits no longer.
func TestPoolBounds(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"small.txt": "hello\n"})
	synctest.Test(t, func(t *testing.T) {
		p := NewPools(map[string]DiskPoolConfig{"slow": {NumThreads: 1}}, quiet())
		cfg := DefaultConfig()
		cfg.Path, cfg.Pool = root, "slow"
		h := NewHandler(cfg, p, quiet())
		if err := h.pool.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var status atomic.Int64
		go func() { status.Store(int64(get(h, "/static/small.txt").StatusCode)) }()
		synctest.Wait()
		if status.Load() != 0 {
			t.Error("a request did not wait for the pool")
		}
		h.pool.leave()
		synctest.Wait()
		if got := status.Load(); got != 200 {
			t.Errorf("status %d after the wait", got)
		}
		if err := h.pool.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		left := errors.New("left")
		var got error
		go func() { got = h.pool.enter(ctx) }()
		synctest.Wait()
		cancel(left)
		synctest.Wait()
		if !errors.Is(got, left) {
			t.Errorf("enter = %v, want the cause", got)
		}
		h.pool.leave()
		if len(h.pool.slots) != 0 {
			t.Error("slots leak")
		}
	})
}

func TestPoolNames(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	p := NewPools(map[string]DiskPoolConfig{"a": {NumThreads: 3}}, slog.New(slog.NewTextHandler(&log, nil)))
	if got := cap(p.get("a").slots); got != 3 {
		t.Errorf("pool a has %d", got)
	}
	if got := cap(p.get("default").slots); got != 40 {
		t.Errorf("default has %d, want 40", got)
	}
	if log.String() != "" {
		t.Errorf("log %q", log.String())
	}
	if p.get("none") != p.get("default") || !strings.Contains(log.String(), "pool=none") {
		t.Errorf("an unknown pool: log %q", log.String())
	}
	p = NewPools(map[string]DiskPoolConfig{"default": {NumThreads: 2}}, quiet())
	if got := cap(p.get("default").slots); got != 2 {
		t.Errorf("configured default has %d", got)
	}
}

// TestSlowClientHoldsNoSlot has a client that does not read its large file, with a pool of one.
func TestSlowClientHoldsNoSlot(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"big.bin": "", "small.txt": "hello\n"})
	if err := os.Truncate(filepath.Join(root, "big.bin"), 256<<20); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Path = root
	h := NewHandler(cfg, NewPools(map[string]DiskPoolConfig{"default": {NumThreads: 1}}, quiet()), quiet())
	server := httptest.NewServer(edge(h, false))
	defer server.Close()
	slow, err := http.Get(server.URL + "/static/big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Body.Close() }()
	r, err := http.Get(server.URL + "/static/small.txt")
	if err != nil {
		t.Fatal(err)
	}
	if b := body(t, r); b != "hello\n" {
		t.Errorf("%q", b)
	}
	_ = r.Body.Close()
}

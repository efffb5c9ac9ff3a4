package static

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"dir/test.txt": "hello\n", "a+b.txt": "plus", "page.html": "<p>", "x.unknown": "?"})
	h := handler(root)
	r := get(h, "/static/dir/test.txt?x=1")
	wantStatus(t, r, 200)
	wantHeader(t, r, "Content-Type", "text/plain; charset=utf-8")
	wantHeader(t, r, "Content-Length", "6")
	wantHeader(t, r, "Accept-Ranges", "bytes")
	wantHeader(t, r, "Vary", "Accept-Encoding")
	wantHeader(t, r, "Server", "swindon/1.0.0")
	wantHeader(t, r, "X-Swindon-File-Path", strconv.Quote(root+"/dir/test.txt"))
	if at, err := http.ParseTime(r.Header.Get("Last-Modified")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Last-Modified: %q", r.Header.Get("Last-Modified"))
	}
	if b := body(t, r); b != "hello\n" {
		t.Errorf("body %q", b)
	}
	for _, target := range []string{"/static/a+b.txt", "/static/a%2bb.txt", "/static//./a%2Bb.txt/", "/static/a+b.txt#x"} {
		if b := body(t, get(h, target)); b != "plus" {
			t.Errorf("%s: body %q", target, b)
		}
	}
	r = get(h, "/static/x.unknown")
	wantHeader(t, r, "Content-Type", "application/octet-stream")
	wantHeader(t, r, "Vary", "")
}

func TestHead(t *testing.T) {
	t.Parallel()
	h := handler(tree(t, map[string]string{"test.txt": "hello\n"}))
	want := get(h, "/static/test.txt")
	r := do(h, http.MethodHead, "/static/test.txt", nil)
	wantStatus(t, r, 200)
	for name := range want.Header {
		wantHeader(t, r, name, want.Header.Get(name))
	}
	if b := body(t, r); b != "" {
		t.Errorf("body %q", b)
	}
	r = do(h, http.MethodHead, "/static/none", nil)
	wantStatus(t, r, 404)
	if b := body(t, r); b != "" {
		t.Errorf("body of the error page %q", b)
	}
}

func TestCharsetOff(t *testing.T) {
	t.Parallel()
	h := handler(tree(t, map[string]string{"test.txt": "x"}), func(c *Config) { c.TextCharset = "" })
	wantHeader(t, get(h, "/static/test.txt"), "Content-Type", "text/plain")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"test.txt": "x", "sub/": ""})
	if err := os.Symlink("/dev/null", filepath.Join(root, "device.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "fifo.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(root, "s")}); err != nil {
		t.Fatal(err)
	}
	h := handler(root)
	for _, c := range []struct {
		method, target string
		status         int
		path           string // shown in X-Swindon-File-Path
	}{
		{"GET", "/static/none.txt", 404, "/none.txt"},
		{"GET", "/static/none/x", 404, "/none/x"},
		{"GET", "/static/sub", 403, "/sub"},
		{"GET", "/static/", 403, "/"},
		{"GET", "/static", 403, "/"},
		{"GET", "/static/device.txt", 403, "/device.txt"},
		{"GET", "/static/fifo.txt", 403, "/fifo.txt"},
		{"GET", "/static/s", 403, "/s"},
		{"GET", "/static/test.txt/x", 500, "/test.txt/x"},
		{"GET", "/static/loop", 500, "/loop"},
		{"GET", "/static/" + strings.Repeat("a", 300), 500, "/" + strings.Repeat("a", 300)},
		{"GET", "/static/../test.txt", 403, "none"},
		{"GET", "/static/%2e%2e/test.txt", 403, "none"},
		{"GET", "/static/a%2fb", 403, "none"},
		{"GET", "/static/a%00", 403, "none"},
		{"GET", "/static/%zz", 403, "none"},
		{"GET", "/static/%ff", 403, "none"},
		{"POST", "/static/test.txt", 405, "/test.txt"},
		{"POST", "/static/none.txt", 405, "/none.txt"},
		{"POST", "/static/../x", 403, "none"},
		{"head", "/static/test.txt", 405, "/test.txt"},
		{"OPTIONS", "*", 405, "/"},
		{"GET", "*", 403, "/"},
	} {
		r := do(h, c.method, c.target, nil)
		if r.StatusCode != c.status {
			t.Errorf("%s %.60s: %d, want %d", c.method, c.target, r.StatusCode, c.status)
		}
		want := strconv.Quote(root + c.path)
		if c.path == "none" {
			want = ""
		}
		wantHeader(t, r, "X-Swindon-File-Path", want)
		wantHeader(t, r, "Content-Type", "text/html")
		for _, name := range []string{"Etag", "Last-Modified", "Accept-Ranges", "Vary", "Allow"} {
			wantHeader(t, r, name, "")
		}
	}
}

// TestForbiddenFile drops the privileges of its thread for a while, for to root no folder is forbidden. Files that nobody
// may read are forbidden for root as well.
func TestForbiddenFile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"secret.txt": "x", "both.txt": "x", "both.txt.gz": "packed", "packed.txt": "x", "packed.txt.gz": "x", "closed/x.txt": "x", "open/index.html": "index",
	})
	for name, mode := range map[string]os.FileMode{"secret.txt": 0, "both.txt": 0, "packed.txt.gz": 0, "closed": 0, "open": 0o111, ".": 0o755} {
		if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for dir := root; dir != os.TempDir() && //nolint:usetesting // the folder above all of ours
		dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(root, "closed"), 0o755)
		_ = os.Chmod(filepath.Join(root, "open"), 0o755)
	})
	h := handler(root, func(c *Config) { c.IndexFiles = []string{"none.html", "index.html"} })
	asNobody(t, func() {
		for _, c := range []struct {
			target, accept string
			status         int
		}{
			{"/static/secret.txt", "", 403},
			{"/static/closed/x.txt", "", 403},
			{"/static/closed", "", 403},
			{"/static/open", "", 200},
			{"/static/both.txt", "", 403},
			{"/static/both.txt", "gzip", 200},
			{"/static/packed.txt", "", 200},
			{"/static/packed.txt", "gzip", 403},
		} {
			r := get(h, c.target, "Accept-Encoding", c.accept)
			if r.StatusCode != c.status {
				t.Errorf("%s with %q: %d, want %d", c.target, c.accept, r.StatusCode, c.status)
			}
		}
	})
	for target, accept := range map[string]string{"/static/secret.txt": "", "/static/both.txt": "", "/static/packed.txt": "gzip"} {
		if r := get(h, target, "Accept-Encoding", accept); r.StatusCode != 403 {
			t.Errorf("with our own rights: %s with %q: %d, want 403", target, accept, r.StatusCode)
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"test.txt": "by route", "static/test.txt": "by root", "localhost/static/test.txt": "by host", "a/static/test.txt": "by suffix",
	})
	for _, c := range []struct {
		mode         Mode
		suffix, host string
		status       int
		want         string
	}{
		{ModeRoute, "", "localhost", 200, "by route"},
		{ModeDomainRoot, "", "localhost", 200, "by root"},
		{ModeHostname, "", "localhost:8080", 200, "by host"},
		{ModeHostname, "", "LOCALHOST", 404, ""},
		{ModeHostname, "", "..", 403, ""},
		{ModeHostname, "", ".", 403, ""},
		{ModeHostname, "", ":80", 403, ""},
		{ModeHostname, "example.com", "a.example.com:80", 200, "by suffix"},
		{ModeHostname, "example.com", "example.com", 403, ""},
		{ModeHostname, "example.com", "a.example.org", 403, ""},
		{ModeHostname, "example.com", "...example.com", 403, ""},
	} {
		h := handler(root, func(cfg *Config) { cfg.Mode, cfg.StripHostSuffix = c.mode, c.suffix })
		r := get(h, "/static/test.txt", "Host", c.host)
		b := body(t, r)
		if r.StatusCode != c.status || c.want != "" && b != c.want {
			t.Errorf("%s %s: %d %q, want %d %q", c.mode, c.host, r.StatusCode, b, c.status, c.want)
		}
		if c.status == 403 {
			wantHeader(t, r, "X-Swindon-File-Path", "")
		}
	}
}

func TestIndexFiles(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"index.html": "root", "index.html.gz": "packed", "second/b.html": "second", "dir/index.html/": "", "dir/b.html": "not tried", "none/x": "",
	})
	h := handler(root, func(c *Config) { c.IndexFiles = []string{"index.html", "b.html"} })
	for target, want := range map[string]string{"/static": "root", "/static/": "root", "/static//?q": "root", "/static/second": "second"} {
		r := get(h, target)
		wantStatus(t, r, 200)
		wantHeader(t, r, "Content-Type", "text/html; charset=utf-8")
		if b := body(t, r); b != want {
			t.Errorf("%s: %q, want %q", target, b, want)
		}
	}
	r := get(h, "/static", "Accept-Encoding", "gzip")
	wantHeader(t, r, "Content-Encoding", "gzip")
	wantHeader(t, r, "Content-Type", "text/html; charset=utf-8")
	wantHeader(t, r, "X-Swindon-File-Path", strconv.Quote(root+"/"))
	wantStatus(t, get(h, "/static/dir"), 403)
	wantStatus(t, get(h, "/static/none"), 403)
	wantStatus(t, get(handler(root), "/static"), 403)
	listing := handler(root, func(c *Config) { c.GenerateIndex = true })
	wantStatus(t, get(listing, "/static/none"), 501)
	wantStatus(t, get(listing, "/static/none", "Range", "bytes=x"), 416)
}

func TestPrecompressed(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"a.txt": "plain", "a.txt.gz": "gzipped", "a.txt.br": "brotli!", "b.js": "plain", "b.js.gz": "gzipped", "c.png": "plain", "c.png.gz": "no",
		"only.txt.gz": "no", "d.txt": "plain", "d.txt.gz/": "",
	})
	h := handler(root)
	for _, c := range []struct{ target, accept, want, encoding string }{
		{"/a.txt", "", "plain", ""},
		{"/a.txt", "gzip", "gzipped", "gzip"},
		{"/a.txt", "gzip, br", "brotli!", "br"},
		{"/a.txt", "gzip;q=1, br;q=0.9", "gzipped", "gzip"},
		{"/a.txt", "identity, gzip;q=0.5", "plain", ""},
		{"/a.txt", "*", "plain", ""},
		{"/a.txt", "gzip;q=0", "plain", ""},
		{"/b.js", "br, gzip", "gzipped", "gzip"},
		{"/c.png", "gzip", "plain", ""},
	} {
		r := get(h, "/static"+c.target, "Accept-Encoding", c.accept)
		wantStatus(t, r, 200)
		wantHeader(t, r, "Content-Encoding", c.encoding)
		if b := body(t, r); b != c.want {
			t.Errorf("%s with %q: %q, want %q", c.target, c.accept, b, c.want)
		}
		wantHeader(t, r, "Content-Length", strconv.Itoa(len(c.want)))
		wantHeader(t, r, "Content-Type", get(h, "/static"+c.target).Header.Get("Content-Type"))
	}
	wantStatus(t, get(h, "/static/only.txt", "Accept-Encoding", "gzip"), 404)
	wantStatus(t, get(h, "/static/d.txt", "Accept-Encoding", "gzip"), 403)
	plain, packed := get(h, "/static/a.txt"), get(h, "/static/a.txt", "Accept-Encoding", "gzip")
	if plain.Header.Get("Etag") == packed.Header.Get("Etag") {
		t.Error("variants share an entity tag")
	}
	wantStatus(t, get(h, "/static/a.txt", "Accept-Encoding", "gzip", "If-None-Match", plain.Header.Get("Etag")), 200)
	r := get(h, "/static/a.txt", "Accept-Encoding", "gzip", "If-None-Match", packed.Header.Get("Etag"))
	wantStatus(t, r, 304)
	wantHeader(t, r, "Content-Encoding", "gzip")
	wantHeader(t, r, "Vary", "Accept-Encoding")
}

func TestExtraHeaders(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"test.txt": "hello\n"})
	h := handler(root, func(c *Config) {
		c.ExtraHeaders = map[string]string{"X-Extra": "yes", "content-TYPE": "x/y", "X-Bad": "a\r\nX-Worse: b", "Content-Length": "100500", "X-Number": "100500"}
	})
	for _, header := range [][]string{nil, {"Range", "bytes=0-1"}, {"If-None-Match", "*"}} {
		r := get(h, "/static/test.txt", header...)
		wantHeader(t, r, "X-Extra", "yes")
		wantHeader(t, r, "X-Number", "100500")
		wantHeader(t, r, "Content-Type", "x/y")
		for _, name := range []string{"X-Bad", "X-Worse"} {
			wantHeader(t, r, name, "")
		}
	}
	wantHeader(t, get(h, "/static/test.txt"), "Content-Length", "6")
	wantHeader(t, get(h, "/static/none"), "X-Extra", "")
	b := body(t, get(h, "/static/test.txt", "Range", "bytes=0-0,2-2"))
	if strings.Count(b, "Content-Type: x/y\r\n") != 2 {
		t.Errorf("parts %q", b)
	}
}

func TestSymlink(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"dir/": ""})
	outside := tree(t, map[string]string{"file.txt": "outside"})
	if err := os.Symlink(filepath.Join(outside, "file.txt"), filepath.Join(root, "link.txt")); err != nil {
		t.Fatal(err)
	}
	r := get(handler(root+"/"), "/static/link.txt")
	wantStatus(t, r, 200)
	wantHeader(t, r, "X-Swindon-File-Path", strconv.Quote(root+"/link.txt"))
}

func TestSingleFile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"app.html": "single", "app.html.gz": "packed", "dir/": ""})
	single := func(change func(*SingleFileConfig)) http.Handler {
		cfg := DefaultSingleFileConfig()
		cfg.Path = root + "/app.html"
		change(&cfg)
		return NewSingleFile(cfg, pools(), quiet())
	}
	guessed := single(func(*SingleFileConfig) {})
	for _, target := range []string{"/static", "/static/", "/static/any/thing", "/static?q=1", "/static/../x", "/static/%zz"} {
		r := get(guessed, target)
		wantStatus(t, r, 200)
		wantHeader(t, r, "Content-Type", "text/html")
		wantHeader(t, r, "X-Swindon-File-Path", strconv.Quote(root+"/app.html"))
		if b := body(t, r); b != "single" {
			t.Errorf("%s: %q", target, b)
		}
	}
	if b := body(t, get(guessed, "/static", "Accept-Encoding", "gzip")); b != "packed" {
		t.Errorf("precompressed: %q", b)
	}
	wantStatus(t, get(guessed, "*"), 403)
	wantStatus(t, do(guessed, "PUT", "/static", nil), 405)
	typed := single(func(c *SingleFileConfig) {
		c.ContentType = "text/x-own; a=b"
		c.ExtraHeaders = map[string]string{"X-Extra": "1"}
	})
	for _, r := range []*http.Response{get(typed, "/static"), get(typed, "/static", "If-None-Match", "*"), get(typed, "/static", "Range", "bytes=1-2")} {
		wantHeader(t, r, "Content-Type", "text/x-own; a=b")
		wantHeader(t, r, "X-Extra", "1")
	}
	missing := single(func(c *SingleFileConfig) { c.Path, c.ContentType = root+"/none", "text/x-own" })
	wantStatus(t, get(missing, "/static"), 404)
	dir := single(func(c *SingleFileConfig) { c.Path, c.ContentType = root+"/dir", "text/x-own" })
	wantStatus(t, get(dir, "/static"), 403)
	device := single(func(c *SingleFileConfig) { c.Path = "/dev/null" })
	wantStatus(t, get(device, "/static"), 403)
}

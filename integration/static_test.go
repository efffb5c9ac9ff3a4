package integration

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

const staticConfig = `
listen: [${HTTP}]
debug-routing: true
routing:
  localhost/static: static
  localhost/static-wo-charset: wo-charset
  localhost/static-w-hostname: hostname
  localhost/static-w-index: index
  localhost/root: root
  localhost/file: file
  localhost/typed-file: typed
  localhost/missing-file: missing
  localhost/null: device
  localhost/slash: slash
handlers:
  static: !Static
    path: ${DIR}/assets
    mode: relative_to_route
    extra-headers: {X-Extra-Header: "extra value"}
  wo-charset: !Static
    path: ${DIR}/assets
    text-charset: null
  hostname: !Static
    path: ${DIR}/assets
    mode: with_hostname
  index: !Static
    path: ${DIR}/assets
    index-files: [index.html, index.htm]
  root: !Static
    path: ${DIR}/assets
    mode: relative_to_domain_root
  file: !SingleFile
    path: ${DIR}/assets/static_file.txt
  typed: !SingleFile
    path: ${DIR}/assets/static_file.html
    content-type: something/other
  missing: !SingleFile
    path: ${DIR}/assets/none
    content-type: something/other
  device: !SingleFile
    path: /dev/null
  slash: !Static
    path: ${DIR}/assets/
`

func startStatic(t *testing.T, config string) *testkit.Env {
	t.Helper()
	env := testkit.New(t)
	env.File("assets/static_file.txt", "Static file test\n")
	env.File("assets/static_file.html", "Static file test\n")
	env.File("assets/a+b.txt", "a+b\n")
	env.File("assets/index/index.html", "Index\n")
	env.File("assets/empty/.keep", "")
	env.File("assets/noext", "x")
	env.File("assets/root/inner.txt", "inner\n")
	env.File("assets/localhost/static-w-hostname/test.txt", "localhost+static\n")
	if err := os.Symlink("static_file.txt", filepath.Join(env.Dir, "assets/link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(env.Dir, "assets/null")); err != nil {
		t.Fatal(err)
	}
	env.Start(config)
	return env
}

func TestStatic(t *testing.T) {
	t.Parallel()
	env := startStatic(t, staticConfig)
	assets := filepath.Join(env.Dir, "assets")
	for _, test := range []struct {
		name, target string
		status       int
		contentType  string
		body         string
		path         string // of X-Swindon-File-Path, without quotes
	}{
		{"text", "/static/static_file.txt", 200, "text/plain; charset=utf-8", "Static file test\n", assets + "/static_file.txt"},
		{"html", "/static/static_file.html", 200, "text/html; charset=utf-8", "Static file test\n", assets + "/static_file.html"},
		{"query", "/static/static_file.txt?a=b", 200, "text/plain; charset=utf-8", "Static file test\n", assets + "/static_file.txt"},
		{"no-charset", "/static-wo-charset/static_file.txt", 200, "text/plain", "Static file test\n", assets + "/static_file.txt"},
		{"hostname", "/static-w-hostname/test.txt", 200, "text/plain; charset=utf-8", "localhost+static\n", assets + "/localhost/static-w-hostname/test.txt"},
		{"domain-root", "/root/inner.txt", 200, "text/plain; charset=utf-8", "inner\n", assets + "/root/inner.txt"},
		{"symlink", "/static/link.txt", 200, "text/plain; charset=utf-8", "Static file test\n", assets + "/link.txt"},
		{"percent", "/static/a%2bb.txt", 200, "text/plain; charset=utf-8", "a+b\n", assets + "/a+b.txt"},
		{"plus", "/static/a+b.txt", 200, "text/plain; charset=utf-8", "a+b\n", assets + "/a+b.txt"},
		{"slashes", "/static//static_file.txt/", 200, "text/plain; charset=utf-8", "Static file test\n", assets + "/static_file.txt"},
		{"no-extension", "/static/noext", 200, "application/octet-stream", "x", assets + "/noext"},
		{"index", "/static-w-index/index", 200, "text/html; charset=utf-8", "Index\n", assets + "/index"},
		{"index-slash", "/static-w-index/index/", 200, "text/html; charset=utf-8", "Index\n", assets + "/index"},
		{"missing", "/static/no_file.txt", 404, "text/html", page("404 Not Found"), assets + "/no_file.txt"},
		{"directory", "/static/empty", 403, "text/html", page("403 Forbidden"), assets + "/empty"},
		{"no-index", "/static-w-index/empty", 403, "text/html", page("403 Forbidden"), assets + "/empty"},
		{"device", "/static/null", 403, "text/html", page("403 Forbidden"), assets + "/null"},
		{"single-device", "/null", 403, "text/html", page("403 Forbidden"), "/dev/null"},
		{"dots", "/static/../static_file.txt", 403, "text/html", page("403 Forbidden"), ""},
		{"encoded-dots", "/static/%2e%2E/static_file.txt", 403, "text/html", page("403 Forbidden"), ""},
		{"encoded-slash", "/static/a%2Fb", 403, "text/html", page("403 Forbidden"), ""},
		{"bad-escape", "/static/a%zzb", 403, "text/html", page("403 Forbidden"), ""},
		{"nul", "/static/a%00b", 403, "text/html", page("403 Forbidden"), ""},
		{"single", "/file", 200, "text/plain", "Static file test\n", assets + "/static_file.txt"},
		{"single-below", "/file/what/ever?q", 200, "text/plain", "Static file test\n", assets + "/static_file.txt"},
		{"single-typed", "/typed-file", 200, "something/other", "Static file test\n", assets + "/static_file.html"},
		{"single-missing", "/missing-file", 404, "text/html", page("404 Not Found"), assets + "/none"},
		{"empty-path", "/static", 403, "text/html", page("403 Forbidden"), assets + "/"},
		{"configured-slash", "/slash/static_file.txt", 200, "text/plain; charset=utf-8", "Static file test\n", assets + "/static_file.txt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := testkit.Get(t, env.Addr("HTTP"), test.target)
			if r.Status != test.status || r.Get("Content-Type") != test.contentType || r.Body != test.body {
				t.Errorf("GET %s: %s%q", test.target, r.Head, r.Body)
			}
			want := ""
			if test.path != "" {
				want = `"` + test.path + `"`
			}
			if got := r.Get("X-Swindon-File-Path"); got != want {
				t.Errorf("X-Swindon-File-Path: %s, want %s", got, want)
			}
		})
	}
}

func TestStaticHeaders(t *testing.T) {
	t.Parallel()
	env := startStatic(t, staticConfig)
	r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt")
	for name, want := range map[string]string{"Content-Length": "17", "Accept-Ranges": "bytes", "X-Extra-Header": "extra value"} {
		if got := r.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	etag, modified := r.Get("ETag"), r.Get("Last-Modified")
	if !strings.HasPrefix(etag, `W/"`) || len(etag) != 20 || modified == "" {
		t.Errorf("ETag %s, Last-Modified %s", etag, modified)
	}
	if r := testkit.Get(t, env.Addr("HTTP"), "/static/none"); r.Get("X-Extra-Header") != "" {
		t.Errorf("an error page has extra headers:\n%s", r.Head)
	}
	for _, header := range []string{"If-None-Match: " + etag, "If-None-Match: \"x\", " + etag, "If-Modified-Since: " + modified} {
		if r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt", header); r.Status != 304 || r.Get("ETag") != etag {
			t.Errorf("%s: %s", header, r.Head)
		}
	}
	if r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt", `If-None-Match: W/"0000000000000000"`, "If-Modified-Since: "+modified); r.Status != 200 {
		t.Errorf("another tag: %s", r.Head)
	}
}

func TestStaticMethods(t *testing.T) {
	t.Parallel()
	env := startStatic(t, staticConfig)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "XXX"} {
		for _, target := range []string{"/static/static_file.txt", "/static/none", "/file"} {
			wantPage(t, testkit.Do(t, env.Addr("HTTP"), testkit.HTTP(method, target, "", "Content-Length: 0")), "405 Method Not Allowed")
		}
	}
	client := testkit.Dial(t, env.Addr("HTTP"))
	for _, target := range []string{"/static/static_file.txt", "/file", "/static/none"} {
		client.Send(testkit.HTTP("HEAD", target, ""))
		head := client.Response("HEAD")
		client.Send(testkit.HTTP("GET", target, ""))
		get := client.Response("GET")
		if head.Status != get.Status || head.Get("Content-Length") != get.Get("Content-Length") {
			t.Errorf("%s: HEAD\n%s\nGET\n%s", target, head.Head, get.Head)
		}
	}
}

func TestStaticRanges(t *testing.T) {
	t.Parallel()
	env := startStatic(t, staticConfig)
	for _, test := range []struct {
		header, body, contentRange string
		status                     int
	}{
		{"bytes=0-5", "Static", "bytes 0-5/17", 206},
		{"bytes=7-", "file test\n", "bytes 7-16/17", 206},
		{"bytes=-5", "test\n", "bytes 12-16/17", 206},
		{"bytes=-100", "Static file test\n", "bytes 0-16/17", 206},
		{"bytes=12-100", "test\n", "bytes 12-16/17", 206},
		{"bytes=17-", "", "", 416},
		{"bytes=-0", "", "", 416},
	} {
		r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt", "Range: "+test.header)
		if r.Status != test.status || test.status == 206 && (r.Body != test.body || r.Get("Content-Range") != test.contentRange) {
			t.Errorf("%s: %s%q", test.header, r.Head, r.Body)
		}
	}
}

func TestStaticPrecompressed(t *testing.T) {
	t.Parallel()
	env := startStatic(t, staticConfig)
	file, err := os.Create(filepath.Join(env.Dir, "assets/static_file.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(file)
	if _, err := w.Write([]byte("compressed")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt", "Accept-Encoding: br;q=0.5, gzip")
	if r.Get("Content-Encoding") != "gzip" || r.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(r.Body, "\x1f\x8b") {
		t.Errorf("with gzip: %s", r.Head)
	}
	if r := testkit.Get(t, env.Addr("HTTP"), "/static/static_file.txt"); r.Get("Content-Encoding") != "" || r.Body != "Static file test\n" {
		t.Errorf("without: %s%q", r.Head, r.Body)
	}
}

// A file that may not be read is 403. Root may read everything, so the program gives up its rights for this test.
func TestStaticForbidden(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.File("assets/closed.txt", "secret")
	if err := os.Chmod(filepath.Join(env.Dir, "assets/closed.txt"), 0); err != nil {
		t.Fatal(err)
	}
	config := staticConfig
	if os.Geteuid() == 0 {
		config += "set-user: nobody\n"
		for dir := env.Dir; dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o005 != 0o005 {
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	env.Start(config)
	r := testkit.Get(t, env.Addr("HTTP"), "/static/closed.txt")
	wantPage(t, r, "403 Forbidden")
	if got, want := r.Get("X-Swindon-File-Path"), `"`+env.Dir+`/assets/closed.txt"`; got != want {
		t.Errorf("X-Swindon-File-Path: %s, want %s", got, want)
	}
}

package integration

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// page is the error page, byte for byte (http §5.2).
func page(status string) string {
	return "<!DOCTYPE html>\n<html>\n  <head>\n    <title>" + status + "</title>\n  </head>\n  <body>\n    <h1>" + status +
		"</h1>\n    <hr>\n    <p>Yours faithfully,<br>\n        swindon web server\n    </p>\n  </body>\n</html>\n"
}

// wantPage checks a whole error response but for the headers that are said elsewhere.
func wantPage(t *testing.T, r *testkit.Response, status string) {
	t.Helper()
	if got := fmt.Sprintf("%d %s", r.Status, r.Reason); got != status {
		t.Errorf("answered %s, want %s", got, status)
	}
	if r.Body != page(status) {
		t.Errorf("the page is\n%s", r.Body)
	}
	if got := r.Get("Content-Type"); got != "text/html" {
		t.Errorf("Content-Type %q", got)
	}
	if got, want := r.Get("Content-Length"), fmt.Sprint(len(page(status))); got != want {
		t.Errorf("Content-Length %q, want %q", got, want)
	}
}

const handlersConfig = `
listen: [${HTTP}]
debug-routing: ${DEBUG}
routing:
  localhost/empty.gif: gif
  localhost/gif-type: typed
  localhost/gif-evil: evil
  localhost/base: base
  www.example.com: www
  localhost/status: status
  localhost/closed: gif @nobody
  localhost/admin: gif @office
handlers:
  gif: !EmptyGif
  typed: !EmptyGif
    extra-headers:
      content-type: image/x-other
      X-Some: header
  evil: !EmptyGif
    extra-headers:
      Content-Length: 100500
      Transfer-Encoding: chunked
      X-Evil: "one\r\nX-Injected: two"
      X-Good: good
  base: !BaseRedirect
    redirect-to-domain: localhost
  www: !StripWWWRedirect
  status: !SelfStatus
authorizers:
  nobody: !SourceIp
    allowed-network: moon
  office: !SourceIp
    allowed-network: office
    forwarded-ip-header: X-Real-Ip
    accept-forwarded-headers-from: local
networks:
  local: [127.0.0.1]
  office: [8.0.0.0/8, 127.0.0.1]
`

var everyMethod = []string{"GET", "PATCH", "POST", "PUT", "UPDATED", "DELETE", "XXX"}

func TestEmptyGif(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	gif, err := hex.DecodeString("47494638396101000100" + "00ff002c00000000010001000002003b")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range everyMethod {
		for _, target := range []string{"/empty.gif", "/empty.gif/below?q"} {
			r := testkit.Do(t, env.Addr("HTTP"), testkit.HTTP(method, target, "", "Content-Length: 0"))
			if r.Status != 200 || r.Body != string(gif) || r.Get("Content-Type") != "image/gif" || r.Get("Content-Length") != "26" {
				t.Errorf("%s %s: %s%q", method, target, r.Head, r.Body)
			}
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	for _, target := range []string{"/empty.gif", "/nothing"} {
		client := testkit.Dial(t, env.Addr("HTTP"))
		client.Send(testkit.HTTP("HEAD", target, ""))
		head := client.Response("HEAD")
		client.Send(testkit.HTTP("GET", target, ""))
		get := client.Response("GET") // a body after the HEAD would be read here
		if head.Status != get.Status || head.Get("Content-Length") != get.Get("Content-Length") || head.Get("Content-Type") != get.Get("Content-Type") {
			t.Errorf("%s: HEAD\n%s\nGET\n%s", target, head.Head, get.Head)
		}
	}
}

func TestExtraHeaders(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	node := env.Start(handlersConfig)
	r := testkit.Get(t, env.Addr("HTTP"), "/gif-type")
	if got := r.All("Content-Type"); len(got) != 1 || got[0] != "image/x-other" || r.Get("X-Some") != "header" {
		t.Errorf("own Content-Type and X-Some:\n%s", r.Head)
	}
	r = testkit.Get(t, env.Addr("HTTP"), "/gif-evil")
	if r.Get("Content-Length") != "26" || strings.Contains(r.Head, "njected") || len(r.All("X-Evil")) != 0 || len(r.All("Transfer-Encoding")) != 0 {
		t.Errorf("headers that must be left out:\n%s", r.Head)
	}
	if r.Get("X-Good") != "good" {
		t.Errorf("the good header beside bad ones is missing:\n%s", r.Head)
	}
	node.Stderr.Await(t, " WARN ")
}

func TestServerAndDate(t *testing.T) {
	t.Parallel()
	date := regexp.MustCompile(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$`)
	for name, test := range map[string]struct{ config, server string }{
		"default": {"", `^swindon/\d+\.\d+\.\d+$`},
		"named":   {"server-name: some name/1", `^some name/1$`},
		"none":    {"server-name: null", `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testkit.New(t)
			env.Set("DEBUG", "false")
			env.Start(test.config + handlersConfig)
			for _, target := range []string{"/empty.gif", "/nothing", "/base"} {
				r := testkit.Get(t, env.Addr("HTTP"), target)
				if got := r.Get("Server"); !regexp.MustCompile(test.server).MatchString(got) {
					t.Errorf("%s: Server %q", target, got)
				}
				if got := r.Get("Date"); !date.MatchString(got) {
					t.Errorf("%s: Date %q", target, got)
				}
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	for _, method := range everyMethod {
		for _, test := range []struct{ host, target, location string }{
			{"localhost", "/base/empty.gif?x=1", "http://localhost/base/empty.gif?x=1"},
			{"www.example.com:8080", "/some/path?q", "http://example.com:8080/some/path?q"},
			{"www.example.com", "/", "http://example.com/"},
		} {
			r := testkit.Do(t, env.Addr("HTTP"), method+" "+test.target+" HTTP/1.1\r\nHost: "+test.host+"\r\nContent-Length: 0\r\n\r\n")
			if r.Status != 301 || r.Get("Location") != test.location || r.Get("Content-Length") != "0" || len(r.All("Content-Type")) != 0 || r.Body != "" {
				t.Errorf("%s %s%s: %s%q", method, test.host, test.target, r.Head, r.Body)
			}
		}
	}
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	if got := len(page("404 Not Found")); got != 203 {
		t.Fatalf("the page of 404 has %d bytes", got)
	}
	for _, method := range everyMethod {
		wantPage(t, testkit.Do(t, env.Addr("HTTP"), testkit.HTTP(method, "/nothing", "", "Content-Length: 0")), "404 Not Found")
		wantPage(t, testkit.Do(t, env.Addr("HTTP"), testkit.HTTP(method, "/closed", "", "Content-Length: 0")), "403 Forbidden")
	}
	wantPage(t, testkit.Do(t, env.Addr("HTTP"), "GET / HTTP/1.1\r\nHost: unknown\r\n\r\n"), "404 Not Found")
}

func TestHTTP10(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	for _, request := range []string{
		"GET /empty.gif HTTP/1.0\r\nHost: localhost\r\n\r\n",
		"GET /nothing HTTP/1.0\r\nHost: localhost\r\n\r\n",
		"GET /base HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
		"GET /empty.gif HTTP/1.0\r\n\r\n",
	} {
		client := testkit.Dial(t, env.Addr("HTTP"))
		client.Send(request)
		r := client.Response("GET")
		if r.Proto != "HTTP/1.0" || !strings.EqualFold(r.Get("Connection"), "close") {
			t.Errorf("%q is answered\n%s", request, r.Head)
		}
		client.Closed()
	}
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	var all string
	for i := range 10 {
		all += testkit.HTTP("GET", fmt.Sprintf("/base/%d", i), "")
	}
	client.Send(all)
	for i := range 10 {
		if got, want := client.Response("GET").Get("Location"), fmt.Sprintf("http://localhost/base/%d", i); got != want {
			t.Fatalf("answer %d redirects to %q, want %q", i, got, want)
		}
	}
	client.Silent()
}

func TestSelfStatus(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	r := testkit.Get(t, env.Addr("HTTP"), "/status")
	if r.Status != 200 || r.Get("Content-Type") != "application/json" {
		t.Errorf("answered\n%s", r.Head)
	}
	for _, key := range []string{`"process"`, `"threads"`, `"metrics"`, `"config_fingerprint"`, `"version"`} {
		if !strings.Contains(r.Body, key) {
			t.Errorf("no key %s in %s", key, r.Body)
		}
	}
}

func TestBodiesOfOtherHandlers(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.Start(handlersConfig)
	client := testkit.Dial(t, env.Addr("HTTP"))
	client.Send(testkit.HTTP("POST", "/empty.gif", "a body"))
	if r := client.Response("POST"); r.Status != 200 && r.Status != 413 {
		t.Errorf("a request with a body is answered\n%s", r.Head)
	}
	r := testkit.Do(t, env.Addr("HTTP"), testkit.HTTP("POST", "/empty.gif", "", "Transfer-Encoding: chunked")+"3\r\nabc\r\n0\r\n\r\n")
	if r.Status != 200 && r.Status != 413 {
		t.Errorf("a request with a chunked body is answered\n%s", r.Head)
	}
	if r := testkit.Get(t, env.Addr("HTTP"), "/empty.gif"); r.Status != 200 {
		t.Errorf("the next request is answered\n%s", r.Head)
	}
}

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/web"
)

// What the backend gets is what the specification says, to the byte (our order within the client's headers is the
// alphabetical one).
func TestUpstreamRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		dest    func(*DestinationConfig)
		handler func(*HandlerConfig)
		record  func(*web.Record)
		request string
		want    string
	}{
		{
			name:    "plain",
			request: "GET /a%20b/../c?x=1&y HTTP/1.1\r\nHost: example.com:8080\r\n\r\n",
			want:    "GET /a%20b/../c?x=1&y HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name:    "HTTP/1.0",
			request: "GET /x HTTP/1.0\r\nHost: h\r\n\r\n",
			want:    "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name: "all of our own headers",
			dest: func(c *DestinationConfig) { c.OverrideHostHeader, c.RequestIDHeader = "inner", "X-Request-Id" },
			handler: func(c *HandlerConfig) {
				c.IPHeader = "X-Real-Ip"
				c.Destination = names.Destination{Name: "backend", Path: "/pre/"}
			},
			record: func(rec *web.Record) { rec.Peer = netip.MustParseAddr("127.0.0.1") },
			request: "UPDATED /x HTTP/1.1\r\nHost: h\r\nX-Real-Ip: 1.2.3.4\r\nx-request-id: mine\r\nAccept: a\r\naccept: b\r\n" +
				"User-Agent: me\r\n\r\n",
			want: "UPDATED /pre//x HTTP/1.1\r\nHost: inner\r\nX-Real-Ip: 127.0.0.1\r\nX-Request-Id: " + strings.Repeat("i", 32) +
				"\r\nAccept: a\r\nAccept: b\r\nUser-Agent: me\r\nX-Real-Ip: 1.2.3.4\r\nX-Request-Id: mine\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name: "headers of the connection",
			request: "POST / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n" +
				"Upgrade: h2c\r\nProxy-Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
			want: "POST / HTTP/1.1\r\nHost: h\r\nProxy-Connection: keep-alive\r\nTe: trailers\r\nContent-Length: 3\r\n\r\nabc",
		},
		{
			name:    "chunked becomes a length",
			request: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
			want:    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
		},
		{
			name:    "a length beside chunked is not believed",
			request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			want:    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		},
		{
			name:    "folded lines are unfolded",
			request: "GET / HTTP/1.1\r\nHost: h\r\nX-A: one\r\n two\r\n\r\n",
			want:    "GET / HTTP/1.1\r\nHost: h\r\nX-A: one two\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name:    "asterisk",
			record:  func(rec *web.Record) { rec.Form, rec.Target = web.FormAsterisk, "/" },
			request: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
			want:    "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name:    "absolute form",
			record:  func(rec *web.Record) { rec.Form, rec.Target = web.FormAbsolute, "" },
			request: "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
			want:    "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		},
		{
			name: "streamed with a length", handler: func(c *HandlerConfig) { c.StreamRequests = true },
			request: "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
			want:    "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				head, body, err := readRequest(r)
				if err == nil {
					got <- head + body
					io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			})
			cfg := testConfig(b.addr)
			if tt.dest != nil {
				tt.dest(&cfg)
			}
			f := startProxy(t, newTestDestination(t, cfg, Deps{}), tt.handler)
			f.record = tt.record
			_, r := f.raw(t, tt.request)
			resp, err := http.ReadResponse(r, nil)
			if err == nil && resp.StatusCode == http.StatusContinue { // the server's own, see Expect
				resp, err = http.ReadResponse(r, nil)
			}
			if err != nil || resp.StatusCode != 204 {
				t.Fatalf("%v %v", resp, err)
			}
			if diff := cmp.Diff(tt.want, <-got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// What the client gets: status, headers but Date and those named in drop, body.
func TestResponses(t *testing.T) {
	t.Parallel()
	const date = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
	tests := []struct {
		name, method, answer string
		status               int
		header               http.Header
		body                 string
		serverName           string
	}{
		{
			name: "headers", method: "GET",
			answer: "HTTP/1.1 200 Fine\r\nServer: theirs\r\nServer: second\r\n" + date + date +
				"Set-Cookie: a\r\nset-cookie: b\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok",
			status: 200, body: "ok", serverName: "swindon/1.0.0",
			header: http.Header{
				"Server": {"swindon/1.0.0"}, "Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Set-Cookie": {"a", "b"},
				"Content-Length": {"2"},
			},
		},
		{
			name: "server name null", method: "GET",
			answer: "HTTP/1.1 200 OK\r\nServer: theirs\r\n" + date + "Content-Length: 0\r\n\r\n", status: 200,
			header: http.Header{"Server": {"theirs"}, "Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Content-Length": {"0"}},
		},
		{
			name: "no guessed type, chunked in one piece gets a length", method: "GET",
			answer: "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n6\r\n<html>\r\n0\r\nX: 1\r\n\r\n",
			status: 200, body: "<html>",
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Content-Length": {"6"}},
		},
		{
			name: "head", method: "HEAD", answer: "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 1234\r\n\r\n", status: 200,
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Content-Length": {"1234"}},
		},
		{
			name: "no content", method: "GET", answer: "HTTP/1.1 204 No Content\r\n" + date + "\r\n", status: 204,
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}},
		},
		{
			name: "not modified", method: "GET",
			answer: "HTTP/1.1 304 Not Modified\r\n" + date + "Etag: \"x\"\r\nContent-Length: 9\r\n\r\n", status: 304,
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Etag": {`"x"`}},
		},
		{
			name: "interim responses are skipped", method: "POST",
			answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 418 Teapot\r\n" + date +
				"Content-Length: 1\r\n\r\nt",
			status: 418, body: "t",
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Content-Length": {"1"}},
		},
		{
			name: "bare line feeds", method: "GET", answer: "HTTP/1.0 200 OK\n" + strings.TrimSpace(date) + "\nContent-Length: 1\n\nx",
			status: 200, body: "x",
			header: http.Header{"Date": {"Tue, 15 Nov 1994 08:12:31 GMT"}, "Content-Length": {"1"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startRaw(t, answer(tt.answer))
			f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
			f.record = func(rec *web.Record) { rec.ServerName = tt.serverName }
			resp := f.do(t, tt.method, "/", "")
			body := bodyOf(t, resp)
			resp.Header.Del("Connection") // the client wants no second request
			if resp.StatusCode != tt.status || body != tt.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, tt.status, tt.body)
			}
			if diff := cmp.Diff(tt.header, resp.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// A body that ends with the connection comes through whole, also in a response of HTTP/1.0, and each request gets a
// connection of its own: no more and no less.
func TestCloseAfterResponse(t *testing.T) {
	t.Parallel()
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, body, err := readRequest(r); err == nil {
			io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\ngot "+body)
		}
	})
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
	for range 5 {
		if resp := f.do(t, "POST", "/", "this"); resp.StatusCode != 200 || bodyOf(t, resp) != "got this" {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	if n := b.conns.Load(); n != 5 {
		t.Errorf("%d connections for 5 requests", n)
	}
}

func TestBodySizes(t *testing.T) {
	t.Parallel()
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			_, body, err := readRequest(r)
			if err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			w := newChunks(c)
			io.WriteString(w, body)
			w.Close()
		}
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	for _, stream := range []bool{false, true} {
		f := startProxy(t, d, func(c *HandlerConfig) { c.StreamRequests = stream })
		for _, size := range []int{0, 1, inlineBody, inlineBody + 1, bufferSize, wholeBody, wholeBody + 1, 1 << 20} {
			want := strings.Repeat("0123456789abcdef", size/16+1)[:size]
			resp := f.do(t, "POST", "/", want)
			if got := bodyOf(t, resp); resp.StatusCode != 200 || got != want {
				t.Errorf("%d bytes, stream %v: got %d with %d bytes back", size, stream, resp.StatusCode, len(got))
			}
		}
	}
}

func TestDestinationUnknown(t *testing.T) {
	t.Parallel()
	f := startProxy(t, nil, func(c *HandlerConfig) { c.Destination.Name = "other" })
	resp := f.do(t, "GET", "/", "")
	if body := bodyOf(t, resp); resp.StatusCode != 404 || !strings.Contains(body, "<h1>404 Not Found</h1>") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestBadTargets(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
	for name, record := range map[string]func(*web.Record){
		"authority form": func(rec *web.Record) { rec.Form = web.FormAuthority },
		"no host":        func(rec *web.Record) { rec.RawHost = "" },
	} {
		f.record = record
		if resp := f.do(t, "GET", "/", ""); resp.StatusCode != 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if n := b.conns.Load(); n != 0 {
		t.Errorf("the backend got %d connections", n)
	}
}

package proxy

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeadParse(t *testing.T) {
	t.Parallel()
	var h head
	text := "HTTP/1.1 200 All right\r\nA: 1\r\nb:2\t \r\nConnection: Keep-Alive, x-hop\r\nX-Hop:\r\nContent-Length: 007\r\n\r\n"
	if err := h.parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	want := []field{{"A", "1"}, {"b", "2"}, {"Connection", "Keep-Alive, x-hop"}, {"X-Hop", ""}, {"Content-Length", "007"}}
	if diff := cmp.Diff(want, h.fields, cmp.AllowUnexported(field{})); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if h.status != 200 || h.length != 7 || h.chunked || !h.keepAlive || h.upgrade {
		t.Errorf("%+v", h)
	}
	for name, hop := range map[string]bool{
		"a": false, "X-HOP": true, "connection": true, "Transfer-encoding": true, "CONTENT-LENGTH": true, "Keep-Alive": true,
		"Server": false,
	} {
		if h.hopByHop(name) != hop {
			t.Errorf("hopByHop(%q) is %v", name, !hop)
		}
	}
	// The same memory serves the next head, with nothing left of the last one.
	if err := h.parse([]byte("HTTP/1.0 304 \r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if h.status != 304 || h.length != -1 || h.keepAlive || len(h.fields) != 0 || h.hopByHop("X-Hop") {
		t.Errorf("%+v", h)
	}
}

func TestHeadFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, head string
		kind         bodyKind
		keep         bool
	}{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", bodyLength, true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", bodyChunked, true},
		{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bodyChunked, false},
		{"GET", "HTTP/1.1 200 OK\r\n\r\n", bodyUntilClose, false},
		{"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", bodyLength, false},
		{"GET", "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 3\r\n\r\n", bodyLength, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", bodyLength, false},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", bodyNone, true},
		{"GET", "HTTP/1.1 204 No\r\n\r\n", bodyNone, true},
		{"GET", "HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", bodyNone, true},
		{"GET", "HTTP/1.1 101 No\r\n\r\n", bodyNone, true},
	} {
		var h head
		if err := h.parse([]byte(tt.head)); err != nil {
			t.Fatalf("%q: %v", tt.head, err)
		}
		if b := h.framing(tt.method); b.kind != tt.kind || h.keepAlive != tt.keep {
			t.Errorf("%s %q: kind %d, keep %v", tt.method, tt.head, b.kind, h.keepAlive)
		}
	}
}

// A head may come in any pieces: its end is found where it is.
func TestHeadEnd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\nrest\n\n", "X\r\n\nrest"} {
		want := strings.Index(text, "rest")
		for cut := 0; cut <= len(text); cut++ {
			first := headEnd([]byte(text[:cut]), 0)
			if first != 0 && first != want || (first != 0) != (cut >= want) {
				t.Fatalf("%q cut at %d: %d", text, cut, first)
			}
			if first == 0 {
				if got := headEnd([]byte(text), cut); got != want {
					t.Fatalf("%q continued at %d: %d, want %d", text, cut, got, want)
				}
			}
		}
	}
}

// Whatever we accept, net/http accepts too and understands alike; and what we pass on is safe to write.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", "HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200\r\nA:\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		n := headEnd(p, 0)
		if n == 0 {
			return
		}
		var h head
		if h.parse(p[:n]) != nil {
			return
		}
		for _, fl := range h.fields {
			if !validToken(fl.name) || !validValue(fl.value) {
				t.Fatalf("unsafe field %q", fl)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p[:n])), nil)
		if err != nil {
			t.Fatalf("accepted %q, which net/http refuses: %v", p[:n], err)
		}
		if resp.StatusCode != h.status {
			t.Fatalf("status %d, net/http says %d", h.status, resp.StatusCode)
		}
		b := h.framing("GET")
		if b.kind == bodyLength && resp.ContentLength != b.left && resp.ContentLength != 0 {
			t.Fatalf("length %d, net/http says %d", b.left, resp.ContentLength)
		}
	})
}

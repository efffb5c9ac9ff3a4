package edge_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/web"
)

// A client that sends all of a large body before it looks for an answer gets one, whether the body was wanted or not.
func TestLargeUnwantedBody(t *testing.T) {
	t.Parallel()
	r := start(t, config(), map[string]string{"*": "refuse", "*/show": "show"}, map[string]http.HandlerFunc{
		"refuse": func(w http.ResponseWriter, r *http.Request) { web.Error(w, r, http.StatusRequestEntityTooLarge) },
		"show":   show,
	})
	body := bytes.Repeat([]byte{'x'}, 32<<20) // more than the kernel keeps
	for name, tc := range map[string]struct{ head, tail string }{
		"length":  {"Content-Length: 33554432\r\n\r\n", ""},
		"chunked": {"Transfer-Encoding: chunked\r\n\r\n2000000\r\n", "\r\n0\r\n\r\n"},
	} {
		for target, want := range map[string]string{"/": "HTTP/1.1 413 ", "/show": "HTTP/1.1 200 "} {
			c := r.dial(t)
			for _, part := range [][]byte{[]byte("POST " + target + " HTTP/1.1\r\nHost: h\r\n" + tc.head), body, []byte(tc.tail)} {
				if _, err := c.Write(part); err != nil {
					t.Fatalf("%s to %s: %v", name, target, err)
				}
			}
			// The connection is either closed or kept; the head says which.
			b := make([]byte, 4096)
			n, err := io.ReadAtLeast(c, b, len(want))
			if err != nil || !strings.HasPrefix(string(b[:n]), want) {
				t.Errorf("%s to %s: got %q, %v", name, target, b[:n], err)
			}
			_ = c.Close()
		}
	}
	r.group.Close()
	if err := r.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

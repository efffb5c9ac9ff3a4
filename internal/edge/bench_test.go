package edge_test

import (
	"bufio"
	"net"
	"net/http"
	"testing"
)

// exchange sends one request and reads the head of its answer.
func exchange(b *testing.B, c net.Conn, br *bufio.Reader) {
	if _, err := c.Write([]byte("GET /some/path HTTP/1.1\r\nHost: h\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")); err != nil {
		b.Fatal(err)
	}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			return
		}
	}
}

// BenchmarkRequest shows what the server adds to bare net/http, client and sockets included in both.
func BenchmarkRequest(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusOK)
	})
	for name, start := range map[string]func() *rig{
		"edge": func() *rig {
			return start(b, config(), map[string]string{"*": "x"}, map[string]http.HandlerFunc{"x": handler})
		},
		"bare": func() *rig { return startBare(b, &http.Server{Handler: handler}) },
	} {
		b.Run(name, func(b *testing.B) {
			c := start().dial(b)
			br := bufio.NewReader(c)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, c, br)
			}
		})
	}
}

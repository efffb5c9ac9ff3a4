package http1_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BenchmarkPlain is one request after the other on a connection, with what the client costs.
func BenchmarkPlain(b *testing.B) {
	r := start(b, true, limits, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Date", "then") // every answer is of the same length
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
	})
	c := r.dial(b)
	_ = c.SetDeadline(time.Time{}) // as long as it takes
	length := len("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: then\r\nContent-Length: 100\r\n\r\n") + 100
	answer := make([]byte, length)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(c, plain); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Fatal(err)
		}
	}
}

package http1_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/listen"
)

// Each phase has its limit, at the first request of a connection and at later ones, whoever serves it at the end.
func TestPhaseLimits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		timeouts listen.Timeouts
		before   int
		send     []string
	}{
		"first byte":        {listen.Timeouts{FirstByte: soon, Headers: time.Hour, KeepAlive: time.Hour}, 0, nil},
		"empty lines":       {listen.Timeouts{FirstByte: soon, Headers: time.Hour, KeepAlive: time.Hour}, 0, []string{"\r\n", "\r\n"}},
		"first head":        {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 0, []string{"G", "ET / HT"}},
		"first, not plain":  {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 0, []string{"POST / HTTP/1.1\r\nContent-Length: 1\r\n"}},
		"idle":              {listen.Timeouts{FirstByte: time.Hour, Headers: time.Hour, KeepAlive: soon}, 3, nil},
		"idle, no first":    {listen.Timeouts{KeepAlive: soon}, 1, nil},
		"later head":        {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 3, []string{"GET / HTTP/1.1\r\nHo"}},
		"later, not plain":  {listen.Timeouts{FirstByte: time.Hour, Headers: soon, KeepAlive: time.Hour}, 3, []string{"GET / HTTP/1.1\r\nUpgrade: x\r\n"}},
		"limits may shrink": {listen.Timeouts{FirstByte: time.Minute, Headers: time.Second, KeepAlive: soon}, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, true, tc.timeouts, describe)
			from := time.Now()
			c := r.dial(t)
			br := bufio.NewReader(c)
			for range tc.before {
				from = time.Now()
				_, _ = io.WriteString(c, plain)
				read(t, br, "GET")
			}
			for _, s := range tc.send {
				_, _ = io.WriteString(c, s)
				time.Sleep(soon / 4)
			}
			if b, err := io.ReadAll(br); len(b) != 0 || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			if d := time.Since(from); d < soon*3/4 || d > 5*time.Second {
				t.Errorf("closed after %v", d)
			}
		})
	}
}

// Idle time does not add up, and no limit of an earlier phase ends a later one.
func TestLimitsStartAgain(t *testing.T) {
	t.Parallel()
	all := listen.Timeouts{FirstByte: 10 * soon, Headers: 10 * soon, KeepAlive: 10 * soon}
	r := start(t, true, all, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(12 * soon) // no phase's business
		}
	})
	c := r.dial(t)
	br := bufio.NewReader(c)
	for i := range 8 {
		target := "/"
		if i == 3 {
			target = "/slow"
		}
		_, _ = io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHo")
		time.Sleep(soon)
		_, _ = io.WriteString(c, "st: h\r\n\r\n")
		read(t, br, "GET")
		time.Sleep(soon)
	}
}

// The limit of a head that was handed over does not reach into its request.
func TestHandedOverHeadIsOver(t *testing.T) {
	t.Parallel()
	r := start(t, true, listen.Timeouts{Headers: soon}, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			t.Error(r.Context().Err())
		case <-time.After(3 * soon):
		}
	})
	c := r.dial(t)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	if res, _ := read(t, bufio.NewReader(c), "POST"); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
}

package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// act is one thing that a handler does.
type act func(w http.ResponseWriter, so *progress)

// progress is how far a handler has come.
type progress struct {
	sent  int // bytes that it has tried to write
	limit int // the least Content-Length that it has set
}

// scripted is a handler whose acts are set before each request.
type scripted struct {
	mu   sync.Mutex
	acts []act
}

func (s *scripted) set(acts []act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = acts
}

func (s *scripted) serve(w http.ResponseWriter, _ *http.Request) {
	so := progress{limit: math.MaxInt}
	s.mu.Lock()
	acts := s.acts
	s.mu.Unlock()
	for _, a := range acts {
		a(w, &so)
	}
}

var (
	statuses = []int{200, 200, 200, 201, 204, 206, 301, 304, 404, 500, 599, 799}
	fields   = []struct{ name, value string }{
		{"Content-Type", "text/x"},
		{"Content-Encoding", "gzip"},
		{"Content-Length", "0"},
		{"Content-Length", "5"},
		{"Content-Length", "3000"},
		{"Content-Length", "70000"},
		{"Transfer-Encoding", "chunked"},
		{"Transfer-Encoding", "identity"},
		{"Connection", "close"},
		{"Connection", "keep-alive"},
		{"Date", "then"},
		{"Server", "me"},
		{"X-Lines", " a\r\nB: c\n "},
		{"X bad", "name"},
		{"Trailer", "X-Late, X-Later"},
		{"Trailer", "Content-Type, X-Late, If-None-Match, host"},
		{"Host", "no trailer"},
		{"X-Late", "early"},
		{http.TrailerPrefix + "X-Magic", "abra"},
		{"", "empty"},
	}
	sizes = []int{0, 1, 5, 500, 2048, 2049, 3000, 5000, 70000}
)

// text is a body of a size that names its bytes' places. Its type shows behind the first few.
func text(n int) string {
	s := strings.Repeat("     <html>0123456789abcdefghijklmnopqrstu", n/42+1)
	return s[:n]
}

// drawActs draws what a handler does, with a line that tells it.
func drawActs(t *rapid.T, file string) (acts []act, story []string) {
	for range rapid.IntRange(0, 6).Draw(t, "acts") {
		var a act
		var line string
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); kind {
		case 0, 1, 2:
			f := rapid.SampledFrom(fields).Draw(t, "field")
			line = fmt.Sprintf("set %q %q", f.name, f.value)
			a = func(w http.ResponseWriter, so *progress) {
				w.Header()[f.name] = []string{f.value}
				if n, err := strconv.Atoi(f.value); err == nil {
					so.limit = min(so.limit, n)
				}
			}
		case 3:
			line = "two values, no date, no type"
			a = func(w http.ResponseWriter, _ *progress) {
				w.Header()["X-Two"] = []string{"1", "2"}
				w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
			}
		case 4:
			status := rapid.SampledFrom(statuses).Draw(t, "status")
			line = fmt.Sprint("status ", status)
			a = func(w http.ResponseWriter, _ *progress) { w.WriteHeader(status) }
		case 5:
			line = "flush"
			a = func(w http.ResponseWriter, _ *progress) { _ = http.NewResponseController(w).Flush() }
		case 6:
			// Not 512 to 2048: there net/http sends chunks where we have found out the length.
			n := rapid.SampledFrom([]int{0, 1, 5, 500, 3000, 5000, 70000}).Draw(t, "size")
			line = fmt.Sprint("file ", n)
			a = func(w http.ResponseWriter, so *progress) {
				if so.sent+n > so.limit {
					return // net/http would send more than the declared length
				}
				f, err := os.Open(file)
				if err != nil {
					panic(err)
				}
				defer f.Close()
				so.sent += n
				_, _ = io.Copy(w, io.LimitReader(f, int64(n)))
			}
		case 7:
			line = "early hints"
			a = func(w http.ResponseWriter, _ *progress) { w.WriteHeader(http.StatusEarlyHints) }
		default:
			n := rapid.SampledFrom(sizes).Draw(t, "size")
			line = fmt.Sprint("write ", n)
			a = func(w http.ResponseWriter, so *progress) { so.sent += n; _, _ = io.WriteString(w, text(n)) }
		}
		acts, story = append(acts, a), append(story, line)
	}
	return acts, story
}

// outcome is what a client sees of a response and of a further one on the same connection.
func outcome(t *rapid.T, tb testing.TB, r *rig, method, extra string) string {
	c := r.dial(tb)
	defer c.Close()
	_, _ = fmt.Fprintf(c, "%s /x HTTP/1.1\r\nHost: h\r\n%s\r\nGET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", method, extra)
	br := bufio.NewReader(c)
	var out strings.Builder
	for _, m := range []string{method, "GET"} {
		for {
			res, err := http.ReadResponse(br, &http.Request{Method: m})
			if err != nil {
				out.WriteString("no response\n")
				return out.String()
			}
			b, err := io.ReadAll(res.Body)
			_, dated := res.Header["Date"]
			if res.Header.Get("Date") != "then" {
				res.Header.Del("Date")
			}
			fmt.Fprintf(&out, "%s %v dated %v length %d coding %v close %v body %d %.20q failed %v trailer %v\n", res.Status, res.Header, dated,
				res.ContentLength, res.TransferEncoding, res.Close, len(b), b, err != nil, res.Trailer)
			if err != nil {
				return out.String()
			}
			if res.StatusCode >= 200 {
				break
			}
		}
	}
	_, err := br.ReadByte()
	fmt.Fprintf(&out, "more: %v\n", err == nil)
	return out.String()
}

// A handler, whatever it does, has the same effect as over net/http.
func TestHandlersAsOverNetHTTP(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text(80000)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &scripted{}
	ours, theirs := start(t, true, limits, h.serve), start(t, false, limits, h.serve)
	rapid.Check(t, func(rt *rapid.T) {
		acts, story := drawActs(rt, file)
		method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "OPTIONS"}).Draw(rt, "method")
		extra := rapid.SampledFrom([]string{"", "", "Connection: close\r\n"}).Draw(rt, "extra")
		h.set(acts)
		want, got := outcome(rt, t, theirs, method, extra), outcome(rt, t, ours, method, extra)
		if got != want {
			rt.Fatalf("%s %q %q\n got %s\nwant %s", method, extra, story, got, want)
		}
	})
}

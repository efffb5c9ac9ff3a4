package web_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/web"
)

const page403 = `<!DOCTYPE html>
<html>
  <head>
    <title>403 Forbidden</title>
  </head>
  <body>
    <h1>403 Forbidden</h1>
    <hr>
    <p>Yours faithfully,<br>
        swindon web server
    </p>
  </body>
</html>
`

func TestErrorPageToTheByte(t *testing.T) {
	t.Parallel()
	for status, tc := range map[int]struct {
		reason string
		size   int
	}{
		403: {"Forbidden", 203},
		404: {"Not Found", 203},
		500: {"Internal Server Error", 227},
		400: {"Bad Request", 207},
		405: {"Method Not Allowed", 221},
		413: {"Request Entity Too Large", 233},
		414: {"Request-URI Too Long", 225},
		416: {"Request Range Not Satisfiable", 243},
		502: {"Bad Gateway", 207},
		503: {"Service Unavailable", 223},
		599: {"Unknown", 199},
	} {
		for _, method := range []string{"GET", "HEAD", "XXX"} {
			rec := httptest.NewRecorder()
			web.Error(rec, httptest.NewRequest(method, "/", nil), status)
			want := strings.ReplaceAll(page403, "403 Forbidden", strconv.Itoa(status)+" "+tc.reason)
			if len(want) != tc.size {
				t.Errorf("%d: the expected page has %d bytes", status, len(want))
			}
			if method == "HEAD" {
				want = ""
			}
			if got := rec.Body.String(); got != want || rec.Code != status {
				t.Errorf("%s %d: got %d %q", method, status, rec.Code, got)
			}
			if h := rec.Header(); h.Get("Content-Type") != "text/html" || h.Get("Content-Length") != strconv.Itoa(tc.size) || len(h) != 2 {
				t.Errorf("%s %d: got %v", method, status, h)
			}
		}
	}
}

func TestReasonPhrases(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		101: "Switching Protocol", 200: "OK", 203: "Non-Authoriative Information", 300: "Multiple Choice", 413: "Request Entity Too Large",
		414: "Request-URI Too Long", 416: "Request Range Not Satisfiable", 418: "I'm a teapot", 299: "Unknown", 999: "Unknown", 0: "Unknown",
	} {
		if got := web.Reason(status); got != want {
			t.Errorf("%d: got %q", status, got)
		}
	}
}

// An error page carries nothing of what the handler had prepared, but keeps the connection's own headers.
func TestErrorDropsHandlerHeaders(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	for _, name := range []string{"Etag", "Allow", "Content-Type", "Content-Encoding", "Connection", "Date"} {
		rec.Header().Set(name, "old")
	}
	web.ErrorWith(rec, httptest.NewRequest("GET", "/", nil), 503, web.RetryAfter(7))
	h := rec.Header()
	for name, want := range map[string]string{
		"Etag": "", "Allow": "", "Content-Encoding": "", "Content-Type": "text/html", "Connection": "old", "Date": "old", "Retry-After": "7",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

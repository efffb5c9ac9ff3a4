package web

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// reasons are the phrases in error pages that differ from net/http's table.
var reasons = map[int]string{
	http.StatusSwitchingProtocols:           "Switching Protocol",
	http.StatusNonAuthoritativeInfo:         "Non-Authoriative Information",
	http.StatusMultipleChoices:              "Multiple Choice",
	http.StatusRequestEntityTooLarge:        "Request Entity Too Large",
	http.StatusRequestURITooLong:            "Request-URI Too Long",
	http.StatusRequestedRangeNotSatisfiable: "Request Range Not Satisfiable",
}

// Reason is the phrase for a status as our error pages show it; "Unknown" for statuses without one.
func Reason(status int) string {
	if s, ok := reasons[status]; ok {
		return s
	}
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "Unknown"
}

const page = `<!DOCTYPE html>
<html>
  <head>
    <title>%[1]d %[2]s</title>
  </head>
  <body>
    <h1>%[1]d %[2]s</h1>
    <hr>
    <p>Yours faithfully,<br>
        swindon web server
    </p>
  </body>
</html>
`

// Error answers with the error page of a status, dropping whatever headers a handler had set for a better answer. To
// HEAD it sends the same head without the body. It must be called before the head is written.
func Error(w http.ResponseWriter, r *http.Request, status int) {
	ErrorWith(w, r, status, nil)
}

// ErrorWith is Error with some headers of its own, such as Retry-After or Content-Range.
func ErrorWith(w http.ResponseWriter, r *http.Request, status int, extra http.Header) {
	h := w.Header()
	for name := range h {
		// net/http and the layers above us may have put connection control there: it stays.
		if name != "Connection" && name != "Date" {
			delete(h, name)
		}
	}
	maps.Copy(h, extra)
	body := fmt.Sprintf(page, status, Reason(status))
	h["Content-Type"] = []string{"text/html"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	}
}

// RetryAfter is the header of 503 answers that say when to come again.
func RetryAfter(seconds int) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}

package web

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// ExtraHeaders are the configured `extra-headers` of a handler, ready to be added to a response. The zero value adds
// nothing. It is immutable.
type ExtraHeaders struct {
	names  []string // canonical
	values [][]string
	hasCT  bool
}

// NewExtraHeaders compiles configured headers. Content-Length, Transfer-Encoding and whatever holds CR or LF is left
// out with a warning (configuration §5.1): the response itself is unaffected.
func NewExtraHeaders(headers map[string]string, log *slog.Logger) ExtraHeaders {
	var e ExtraHeaders
	keys := make([]string, 0, len(headers))
	for k := range headers {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := headers[k]
		name := http.CanonicalHeaderKey(k)
		switch {
		case name == "Content-Length" || name == "Transfer-Encoding",
			strings.ContainsAny(k, "\r\n"), strings.ContainsAny(v, "\r\n"):
			log.Warn("Extra header is ignored", "name", k)
			continue
		case name == "Content-Type":
			e.hasCT = true
		}
		e.names = append(e.names, name)
		e.values = append(e.values, []string{v})
	}
	return e
}

// HasContentType tells whether the handler must not send its own Content-Type.
func (e ExtraHeaders) HasContentType() bool { return e.hasCT }

// AddTo adds the headers. They never replace, except that a Content-Type is the only one.
func (e ExtraHeaders) AddTo(h http.Header) {
	for i, name := range e.names {
		if name == "Content-Type" {
			h[name] = e.values[i]
			continue
		}
		h[name] = append(h[name], e.values[i]...)
	}
}

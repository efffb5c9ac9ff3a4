package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Limits of a response head (decision D30).
const (
	maxHeadBytes  = 64 << 10
	maxHeadFields = 1024
)

// errMalformed says that a backend's answer is no HTTP that we could pass on safely.
var errMalformed = errors.New("malformed response")

func malformed(what string) error { return fmt.Errorf("%w: %s", errMalformed, what) }

// field is one header line of a response, spelled as the backend did.
type field struct{ name, value string }

// head is a parsed response head. It may be used again for the next one.
type head struct {
	status int
	fields []field
	// length is the Content-Length, -1 without one; lengthText is how it was written.
	length     int64
	lengthText string
	// chunked: the body is chunked; there is no Content-Length then.
	chunked bool
	// keepAlive: the backend lets the connection live after this response.
	keepAlive bool
	// upgrade: the Connection header names "upgrade".
	upgrade bool
	// named are the values of the Connection lines: what they name concerns the connection only.
	named []string
}

// headEnd returns the length of the head at the front of p, the empty line included, or 0 if it is not complete. The
// search starts at from, where the last one ended.
func headEnd(p []byte, from int) int {
	for i := max(from-3, 0); i < len(p); {
		j := bytes.IndexByte(p[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j + 1
		switch {
		case i < len(p) && p[i] == '\n':
			return i + 1
		case i+1 < len(p) && p[i] == '\r' && p[i+1] == '\n':
			return i + 2
		}
	}
	return 0
}

// parse reads a whole response head, the empty line included. Strings of the result share one copy of it.
//
// A single LF ends a line as CR LF does (RFC 9112 §2.2). What could be read in two ways is refused: a CR elsewhere,
// folded lines, blanks around names, control characters, two lengths, a length beside a transfer coding, a transfer
// coding other than chunked.
func (h *head) parse(block []byte) error {
	*h = head{fields: h.fields[:0], named: h.named[:0], length: -1}
	rest := string(block)
	line, rest, ok := cutLine(rest)
	if !ok {
		return malformed("no status line")
	}
	minor, err := h.parseStatus(line)
	if err != nil {
		return err
	}
	h.keepAlive = minor >= 1
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return malformed("head ends early")
		}
		if line == "" {
			break
		}
		if len(h.fields) == maxHeadFields {
			return malformed("too many header fields")
		}
		if err := h.parseField(line); err != nil {
			return err
		}
	}
	if rest != "" {
		return malformed("bytes after the head")
	}
	if h.chunked && minor == 0 {
		h.keepAlive = false // RFC 9112 §6.1: the framing cannot be trusted beyond this response
	}
	return nil
}

// cutLine splits off the first line, without its end.
func cutLine(s string) (line, rest string, ok bool) {
	i := strings.IndexByte(s, '\n')
	if i < 0 {
		return "", s, false
	}
	line, rest = s[:i], s[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest, true
}

// parseStatus reads "HTTP/1.x NNN reason" and returns x.
func (h *head) parseStatus(line string) (minor int, err error) {
	const prefix = "HTTP/1."
	if len(line) < len("HTTP/1.1 200") || line[:len(prefix)] != prefix || line[8] != ' ' {
		return 0, malformed("bad status line")
	}
	switch line[7] {
	case '0':
	case '1':
		minor = 1
	default:
		return 0, malformed("unknown HTTP version")
	}
	for _, c := range []byte(line[9:12]) {
		if c < '0' || c > '9' {
			return 0, malformed("bad status code")
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 || len(line) > 12 && line[12] != ' ' {
		return 0, malformed("bad status code")
	}
	if !validValue(line[12:]) {
		return 0, malformed("bad reason phrase")
	}
	return minor, nil
}

// parseField reads one header line and takes from it what concerns the framing.
func (h *head) parseField(line string) error {
	colon := strings.IndexByte(line, ':')
	if colon <= 0 {
		return malformed("header line without name")
	}
	name, value := line[:colon], trimBlanks(line[colon+1:])
	if !validToken(name) {
		return malformed("bad header name")
	}
	if !validValue(value) {
		return malformed("bad header value")
	}
	h.fields = append(h.fields, field{name, value})
	switch len(name) {
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			h.parseConnection(value)
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			return h.parseLength(value)
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			return h.parseCoding(value)
		}
	}
	return nil
}

func (h *head) parseConnection(value string) {
	h.named = append(h.named, value)
	for token := range tokens(value) {
		switch {
		case strings.EqualFold(token, "close"):
			h.keepAlive = false
		case strings.EqualFold(token, "upgrade"):
			h.upgrade = true
		}
	}
}

func (h *head) parseLength(value string) error {
	if h.length >= 0 {
		return malformed("two Content-Length headers")
	}
	if h.chunked {
		return malformed("Content-Length beside Transfer-Encoding")
	}
	n, ok := parseDecimal(value)
	if !ok {
		return malformed("bad Content-Length")
	}
	h.length, h.lengthText = n, value
	return nil
}

func (h *head) parseCoding(value string) error {
	if h.chunked || !strings.EqualFold(value, "chunked") {
		return malformed("unknown transfer coding")
	}
	if h.length >= 0 {
		return malformed("Content-Length beside Transfer-Encoding")
	}
	h.chunked = true
	return nil
}

// framing returns how the body of the response to a request with the given method ends (RFC 9112 §6.3).
func (h *head) framing(method string) body {
	switch {
	case method == http.MethodHead, h.status < 200, h.status == http.StatusNoContent, h.status == http.StatusNotModified:
		return body{kind: bodyNone, done: true}
	case h.chunked:
		return body{kind: bodyChunked}
	case h.length >= 0:
		return body{kind: bodyLength, left: h.length, done: h.length == 0}
	default:
		h.keepAlive = false
		return body{kind: bodyUntilClose}
	}
}

// hopByHop tells whether a header concerns the connection only and is not passed on.
func (h *head) hopByHop(name string) bool {
	switch len(name) {
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			return true
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			return true
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			return true
		}
	}
	for _, value := range h.named {
		if hasToken(value, name) {
			return true
		}
	}
	return false
}

package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// manyFields is for how many header fields a request brings the memory along.
const manyFields = 16

// request is what a request consists of besides its header map.
type request struct {
	requestContext
	writer writer
	url    url.URL
	values [manyFields]string
}

// parse reads a whole request head, ending with an empty line, into r. It returns false for one that is not plain; r is
// of no use then.
//
// What it accepts net/http accepts, too, and understands in the same way (a fuzz test holds that). Text is copied once.
func (q *request) parse(head []byte, r *http.Request) bool {
	hosts, ok := q.parseLines(string(head[:len(head)-2]), r)
	return ok && hosts == 1
}

// parseLines reads a head, or the beginning of one, without the empty line. It returns the number of Host fields.
func (q *request) parseLines(text string, r *http.Request) (hosts int, ok bool) {
	line, fields, ok := strings.Cut(text, "\r\n")
	if !ok || !q.parseLine(line, r) {
		return 0, false
	}
	return q.parseFields(fields, r)
}

// maybePlain tells whether the beginning of a head could be that of a plain one. The others are given to net/http as
// soon as that can be seen, since it may answer them already.
func maybePlain(p []byte) bool {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 {
		return true
	}
	q := &request{}
	_, ok := q.parseLines(string(p[:end]), &http.Request{})
	return ok
}

// parseLine reads the request line: a method, a target that is a path, and the version 1.1.
func (q *request) parseLine(line string, r *http.Request) bool {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !isToken(method) || method == http.MethodConnect {
		return false
	}
	target, ok := strings.CutSuffix(rest, " HTTP/1.1")
	if !ok || target == "" || target[0] != '/' {
		return false
	}
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor = method, target, "HTTP/1.1", 1, 1
	return q.parseTarget(target, r)
}

// parseTarget makes the URL. Paths that hold nothing special need no parser.
func (q *request) parseTarget(target string, r *http.Request) bool {
	path, query, asked := strings.Cut(target, "?")
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	special := false
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ' || c >= 0x7f:
			return false
		case classes[c]&plainPath == 0:
			special = true
		}
	}
	if special || asked && query == "" {
		u, err := url.ParseRequestURI(target)
		r.URL = u
		return err == nil
	}
	q.url = url.URL{Path: path, RawQuery: query}
	r.URL = &q.url
	return true
}

// parseFields reads the header fields, each of which ends with CR LF. It returns the number of Host fields, which are
// not kept.
func (q *request) parseFields(text string, r *http.Request) (hosts int, ok bool) {
	n := strings.Count(text, "\n")
	values := q.values[:0]
	if n > len(q.values) {
		values = make([]string, 0, n)
	}
	r.Header = make(http.Header, n)
	for text != "" {
		line, rest, ok := strings.Cut(text, "\r\n")
		name, value, colon := strings.Cut(line, ":")
		if !ok || !colon || !isToken(name) {
			return 0, false
		}
		text = rest
		value = strings.Trim(value, " \t")
		if !isValue(value) {
			return 0, false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Host":
			if hosts++; hosts > 1 || !isHost(value) {
				return 0, false
			}
			r.Host = value
			continue // as net/http does
		case "Connection":
			if r.Header[name] != nil || !persistence(value, r) {
				return 0, false
			}
		case "Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Upgrade":
			return 0, false
		}
		values = append(values, value)
		at := len(values)
		if old := r.Header[name]; old != nil {
			r.Header[name] = append(old, value)
		} else {
			r.Header[name] = values[at-1 : at : at]
		}
	}
	if p := r.Header["Pragma"]; len(p) > 0 && p[0] == "no-cache" && r.Header["Cache-Control"] == nil {
		r.Header["Cache-Control"] = []string{"no-cache"} // net/http does so, for the sake of RFC 2616
	}
	r.Body = http.NoBody
	return hosts, true
}

// persistence reads a Connection field that says nothing but whether the connection is to be kept.
func persistence(value string, r *http.Request) bool {
	switch {
	case strings.EqualFold(value, "close"):
		r.Close = true
		return true
	case strings.EqualFold(value, "keep-alive"):
		return true
	}
	return false
}

// emptyLines returns the length of the empty lines at the front of p. A carriage return alone is none.
func emptyLines(p []byte) int {
	for n := 0; ; {
		switch {
		case bytes.HasPrefix(p[n:], []byte("\n")):
			n++
		case bytes.HasPrefix(p[n:], []byte("\r\n")):
			n += 2
		default:
			return n
		}
	}
}

// headEnd returns the length of the head at the front of p with its empty line, 0 if that is not complete. Seen is how
// much was looked at in vain before.
func headEnd(p []byte, seen int) int {
	from := max(0, seen-3)
	if i := bytes.Index(p[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// Classes of bytes.
const (
	tokenByte = 1 << iota
	plainPath // needs no escape in a path, and is none
	hostByte
)

// classes says what each byte may stand in.
var classes = func() (t [256]uint8) {
	mark := func(class uint8, set string) {
		for i := range len(set) {
			t[set[i]] |= class
		}
	}
	const alnum = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	mark(tokenByte, alnum+"!#$%&'*+-.^_`|~")
	mark(plainPath, alnum+"-_.~$&+,/:;=@")
	mark(hostByte, alnum+"-._:[]")
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&tokenByte == 0 {
			return false
		}
	}
	return s != ""
}

func isHost(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&hostByte == 0 {
			return false
		}
	}
	return true
}

// isValue tells whether a field's value has no control characters but tabs.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

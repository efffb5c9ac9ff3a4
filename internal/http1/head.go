package http1

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// writeHead writes the status line and the handler's fields as they are now. What depends on the body follows in commit.
func (w *response) writeHead() {
	h := w.header
	if te := h["Transfer-Encoding"]; len(te) > 0 && te[0] != "" {
		w.framing = framingChunked
		if te[0] == "identity" {
			w.framing = framingIdentity
		}
	}
	values, declared := h["Content-Length"]
	w.declared = declared
	if len(values) > 0 && values[0] != "" {
		if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n >= 0 {
			w.length = n
		} else {
			w.c.s.full.ErrorLog.Printf("invalid Content-Length of %q", values[0])
		}
	}
	w.trailers = h["Trailer"]
	if w.length < 0 && w.framing == framingFree && w.announcesTrailers() {
		w.framing = framingChunked
	}
	_, typed := h["Content-Type"]
	w.untyped = !typed && w.framing != framingIdentity && len(h["Transfer-Encoding"]) == 0 && !has(h, "Content-Encoding")
	connection := h["Connection"]
	w.closing = w.framing == framingIdentity && w.length < 0 && !w.silent() || w.req.Close ||
		len(connection) > 0 && connection[0] == "close" || w.c.s.conns.Draining()

	w.out = appendStatus(w.out, w.status)
	w.appendFields(w.status)
	if w.closing {
		w.out = append(w.out, "Connection: close\r\n"...)
	} else {
		for _, v := range connection {
			w.out = appendField(w.out, "Connection", v)
		}
	}
	if _, dated := h["Date"]; !dated {
		w.out = append(w.out, dateLine()...)
	}
}

// has tells whether a field is there and not empty.
func has(h http.Header, name string) bool { return len(h[name]) > 0 && h[name][0] != "" }

// appendFields writes the fields of the header in the order of their names, without those that commit and writeHead
// write, and without those that the status must not have.
func (w *response) appendFields(status int) {
	names := w.names[:0]
	for name := range w.header {
		switch name {
		case "Content-Length", "Transfer-Encoding":
			continue
		case "Connection":
			if status >= 200 {
				continue
			}
		case "Content-Type":
			if status == http.StatusNotModified {
				continue
			}
		}
		if isToken(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range w.header[name] {
			w.out = appendField(w.out, name, v)
		}
	}
	w.names = names
}

// commit completes the head, now that the beginning of the body is known, or, when done, all of it.
func (w *response) commit(body []byte, done bool) {
	w.committed = true
	if w.untyped && w.bodyAllowed() && len(body) > 0 {
		w.out = appendField(w.out, "Content-Type", http.DetectContentType(body))
	}
	if done && w.length < 0 && !w.declared && w.framing == framingFree && w.bodyAllowed() &&
		(w.req.Method != http.MethodHead || len(body) > 0) {
		w.length = int64(len(body))
	}
	switch {
	case w.length >= 0 && w.framing != framingChunked:
		if w.bodyAllowed() {
			w.out = append(w.out, "Content-Length: "...)
			w.out = strconv.AppendInt(w.out, w.length, 10)
			w.out = append(w.out, "\r\n"...)
		}
	case w.silent(), w.framing == framingIdentity:
	default:
		w.chunked = true
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// announcesTrailers tells whether the handler means to send trailers.
func (w *response) announcesTrailers() bool {
	if len(w.trailers) > 0 {
		return true
	}
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// noTrailer holds the fields that frame, route or describe a message, which come too late behind its body (RFC 9110
// §6.5.1). It is net/http's list.
var noTrailer = map[string]bool{
	"Authorization": true, "Cache-Control": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Range": true, "Content-Type": true, "Expect": true, "Host": true, "Keep-Alive": true, "Max-Forwards": true,
	"Pragma": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Range": true,
	"Realm": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Www-Authenticate": true,
}

// appendTrailers ends a chunked body.
func (w *response) appendTrailers() {
	w.out = append(w.out, "0\r\n"...)
	for _, list := range w.trailers {
		for name := range strings.SplitSeq(list, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t"))
			if isToken(name) && !noTrailer[name] && !strings.HasPrefix(name, "If-") {
				for _, v := range w.header[name] {
					w.out = appendField(w.out, name, v)
				}
			}
		}
	}
	for key, values := range w.header {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok && isToken(name) {
			for _, v := range values {
				w.out = appendField(w.out, name, v)
			}
		}
	}
	w.out = append(w.out, "\r\n"...)
}

func appendStatus(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// newlines are what no value may bring into a head.
var newlines = strings.NewReplacer("\n", " ", "\r", " ")

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	if strings.ContainsAny(value, "\r\n") {
		value = newlines.Replace(value)
	}
	b = append(b, textproto.TrimString(value)...)
	return append(b, "\r\n"...)
}

// date is the Date field of one second.
type date struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[date]

// dateLine is the Date field for now.
func dateLine() string {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		lastDate.Store(d)
	}
	return d.line
}

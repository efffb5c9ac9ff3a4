package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/internal/web"
)

// writeRequest writes the head of a proxied request (configuration §5.8): request line, Host, our ip and request id
// headers, the client's headers without those that concern its connection, Content-Length. length -1 asks for a chunked
// body; upgrade is the protocol to change to, or empty.
func (h *Handler) writeRequest(x *exchange, r *http.Request, rec *web.Record, length int64, upgrade string) {
	b := x.out
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = h.appendTarget(b, rec)
	b = append(b, " HTTP/1.1\r\n"...)
	host := x.set.host
	if host == "" {
		host = rec.RawHost
	}
	b = appendField(b, "Host", host)
	if h.ipHeader != "" {
		b = append(b, h.ipHeader...)
		b = append(b, ": "...)
		if rec.Peer.IsValid() {
			b = rec.Peer.AppendTo(b)
		}
		b = append(b, "\r\n"...)
	}
	if x.set.idHeader != "" {
		b = appendField(b, x.set.idHeader, rec.ID)
	}
	b = x.appendClientFields(b, r.Header)
	switch {
	case upgrade != "":
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", upgrade)
	case length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	x.out = b
}

// appendTarget writes the target: the destination's path, verbatim, and the whole path and query of the request.
func (h *Handler) appendTarget(b []byte, rec *web.Record) []byte {
	if rec.Form == web.FormAsterisk {
		return append(b, '*')
	}
	b = append(b, h.prefix...)
	if rec.Target == "" || rec.Target[0] != '/' {
		b = append(b, '/') // "http://host" and "http://host?query" have no path
	}
	return append(b, rec.Target...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendClientFields writes the client's headers in the order of their names, which is as good as any: the server does
// not know the original one (decision D29).
func (x *exchange) appendClientFields(b []byte, fields http.Header) []byte {
	for name := range fields {
		x.names = append(x.names, name)
	}
	slices.Sort(x.names)
	named := fields["Connection"]
	for _, name := range x.names {
		if ownRequestField(name) || namedIn(named, name) || !validToken(name) {
			continue
		}
		for _, value := range fields[name] {
			if validValue(value) {
				b = appendField(b, name, value)
			}
		}
	}
	return b
}

// ownRequestField tells whether a client's header, in canonical form, is never passed on: those about its connection,
// those that we write ourselves, and Expect, which the server has answered.
func ownRequestField(name string) bool {
	switch name {
	case "Host", "Connection", "Transfer-Encoding", "Content-Length", "Upgrade", "Expect":
		return true
	}
	return false
}

// namedIn tells whether the Connection header names a header, which is thereby about the connection only.
func namedIn(connection []string, name string) bool {
	for _, list := range connection {
		if hasToken(list, name) {
			return true
		}
	}
	return false
}

// upgradeOf returns the protocol that a request asks to change to: a websocket or anything else but HTTP/2
// (decision D32). Empty when it asks for none, or has a body.
func upgradeOf(r *http.Request) string {
	up := r.Header["Upgrade"]
	if len(up) != 1 || r.ContentLength != 0 || r.ProtoMinor == 0 || !namedIn(r.Header["Connection"], "upgrade") {
		return ""
	}
	if p := up[0]; p != "" && !strings.EqualFold(p, "h2c") && validValue(p) {
		return p
	}
	return ""
}

package ws

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/swindon-go/swindon/internal/web"
)

// Kind says what a request on a websocket route is.
type Kind int

// The kinds of requests.
const (
	// Plain requests want no websocket: they are for the handler beside the route, or 404.
	Plain Kind = iota + 1
	// Bad requests want one in a wrong way: 400.
	Bad
	// Websocket requests are correct handshakes: Take will not object to them.
	Websocket
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Plain:
		return "plain"
	case Bad:
		return "bad"
	case Websocket:
		return "websocket"
	}
	return "unknown"
}

// Classify tells what a request is by the rules of protocol §1.1 and decision D6; beyond them, RFC 6455 §4.1 asks for
// GET and HTTP/1.1. Origin and subprotocols are the caller's business.
func Classify(r *http.Request) Kind {
	if !hasToken(r.Header["Connection"], "upgrade") {
		return Plain
	}
	upgrade := r.Header["Upgrade"]
	for _, v := range upgrade {
		if !strings.EqualFold(strings.TrimSpace(v), "websocket") {
			return Plain
		}
	}
	version := r.Header["Sec-Websocket-Version"]
	switch {
	case len(upgrade) == 0,
		!validKey(r.Header["Sec-Websocket-Key"]),
		len(version) != 1 || strings.TrimSpace(version[0]) != "13",
		r.ContentLength != 0 || len(r.TransferEncoding) > 0,
		!validUTF8(r.Header["Sec-Websocket-Protocol"]),
		!validUTF8(r.Header["Sec-Websocket-Extensions"]),
		r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1,
		!hasPath(r):
		return Bad
	}
	return Websocket
}

// hasPath tells whether the target names a path; "*", authority form and "http://host" do not.
func hasPath(r *http.Request) bool {
	form := web.RecordOf(r).Form
	return r.URL.Path != "" && r.URL.Path != "*" && form != web.FormAsterisk && form != web.FormAuthority
}

// Offered returns the subprotocols that the client offers, in its order: those of all Sec-WebSocket-Protocol lines,
// split at commas and trimmed, empty ones left out (protocol §1.2).
func Offered(r *http.Request) []string {
	var offered []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				offered = append(offered, p)
			}
		}
	}
	return offered
}

// hasToken tells whether a list header contains a token, ignoring case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// validKey tells whether there is exactly one key and it is base64 of 16 bytes (RFC 6455 §4.1).
func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(b) == 16
}

func validUTF8(lines []string) bool {
	for _, line := range lines {
		if !utf8.ValidString(line) {
			return false
		}
	}
	return true
}

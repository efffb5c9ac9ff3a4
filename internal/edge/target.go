package edge

import (
	"strings"

	"github.com/swindon-go/swindon/internal/web"
)

// requestTarget is a request target taken apart (RFC 9112 §3.2).
type requestTarget struct {
	form web.Form
	// path is what is routed on: raw, with query, and never empty.
	path string
	// authority is the host that the target names, with port; empty for the origin and asterisk forms.
	authority string
}

// parseTarget reads a request target as it stands in the request line. It is not decoded or cleaned. It fails for
// everything that is none of the four forms, and for bytes that must not stand in a target: control characters, what is
// not ASCII, and the quote and angle brackets (configuration §6.2).
func parseTarget(s string) (t requestTarget, ok bool) {
	if s == "" {
		return t, false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			return t, false
		}
	}
	switch {
	case s[0] == '/':
		return requestTarget{form: web.FormOrigin, path: s}, true
	case s == "*":
		return requestTarget{form: web.FormAsterisk, path: "/"}, true
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return absolute(s[len(scheme):])
		}
	}
	if strings.ContainsFunc(s, notAuthority) {
		return t, false
	}
	return requestTarget{form: web.FormAuthority, path: "/", authority: s}, true
}

// absolute takes apart what follows the scheme.
func absolute(s string) (requestTarget, bool) {
	t := requestTarget{form: web.FormAbsolute, path: "/", authority: s}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		t.authority = s[:i]
		// "http://h?q" names the root path, which has to be written towards a backend.
		if t.path = s[i:]; t.path[0] != '/' {
			t.path = "/" + t.path
		}
	}
	return t, t.authority != ""
}

func notAuthority(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._:[]", c)
}

// hostOnly is a host without its port, as routes are compared with: cut at the first colon.
func hostOnly(raw string) string {
	if i := strings.IndexByte(raw, ':'); i >= 0 {
		raw = raw[:i]
	}
	return strings.TrimSpace(raw)
}

package names

import (
	"fmt"
	"strings"
)

// Method is the name of a remote procedure as a client may call it: [A-Za-z0-9_.-]+ and not below "swindon." or
// "tangle." (protocol §3.2).
type Method string

// Reserved calls that the gateway itself makes.
const (
	AuthorizeConnection = "authorize_connection"
	SessionInactive     = "session_inactive"
)

// ParseMethod checks a method that a client sent. An encoded form over MaxEncoded is ErrTooLong.
func ParseMethod(s string) (Method, error) {
	if s == "" || !all(s, func(c byte) bool { return plain(c) || c == '.' }) {
		return "", fmt.Errorf("method: %w", ErrSyntax)
	}
	if strings.HasPrefix(s, "swindon.") || strings.HasPrefix(s, "tangle.") {
		return "", fmt.Errorf("method: %w", ErrReserved)
	}
	if len(EncodePath(s)) > MaxEncoded {
		return "", fmt.Errorf("method: %w", ErrTooLong)
	}
	return Method(s), nil
}

// OnNATS tells whether the method may be called over NATS: one to eight non-empty segments, at most MaxMethod bytes
// (decision D4). Such a method is its own encoding.
func (m Method) OnNATS() bool {
	if m == "" || len(m) > MaxMethod || strings.Count(string(m), ".") > 7 {
		return false
	}
	for seg := range strings.SplitSeq(string(m), ".") {
		if seg == "" || !all(seg, plain) {
			return false
		}
	}
	return true
}

// Path is the method as the tail of a URL: every dot becomes a slash (protocol §4.1).
func (m Method) Path() string { return strings.ReplaceAll(string(m), ".", "/") }

package proxy

import (
	"iter"
	"strings"
)

// tokenChars marks the characters of a header name (RFC 9110 §5.6.2).
var tokenChars = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// validToken tells whether s may be a header name.
func validToken(s string) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue tells whether s may be a header value: no control characters but tab.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// trimBlanks removes blanks and tabs at both ends.
func trimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// tokens yields the elements of a comma-separated list, trimmed, empty ones left out.
func tokens(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for list != "" {
			var t string
			t, list, _ = strings.Cut(list, ",")
			if t = trimBlanks(t); t != "" && !yield(t) {
				return
			}
		}
	}
}

// hasToken tells whether a comma-separated list holds a token, in any case.
func hasToken(list, token string) bool {
	for list != "" {
		var t string
		t, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(trimBlanks(t), token) {
			return true
		}
	}
	return false
}

// parseDecimal reads digits and nothing else. It refuses what does not fit.
func parseDecimal(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

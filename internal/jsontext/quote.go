package jsontext

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string, escaping only what must be: quote, backslash and control characters. Bytes
// that are no UTF-8 become U+FFFD, each.
func AppendQuoted[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// Unquote returns the text of a checked string with its quotes. It is false for every other kind of value, and for
// text that Check would not have passed as a string.
func Unquote(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	b, ok := Unescape(make([]byte, 0, len(inner)), inner)
	if !ok {
		return "", false
	}
	return string(b), true
}

// Unescape appends to dst the text that stands between the quotes of a string, such as a key of Members, with its
// escapes resolved. It is false where an escape is wrong.
func Unescape(dst, inner []byte) ([]byte, bool) {
	for {
		n := bytes.IndexByte(inner, '\\')
		if n < 0 {
			return append(dst, inner...), true
		}
		dst = append(dst, inner[:n]...)
		end, f := checkEscape(inner, n+1)
		if f.msg != "" {
			return dst, false
		}
		dst = appendUnescaped(dst, inner[n+1:end])
		inner = inner[end:]
	}
}

// appendUnescaped appends what a correct escape, given without its backslash, stands for.
func appendUnescaped(dst, esc []byte) []byte {
	switch esc[0] {
	case 'b':
		return append(dst, '\b')
	case 'f':
		return append(dst, '\f')
	case 'n':
		return append(dst, '\n')
	case 'r':
		return append(dst, '\r')
	case 't':
		return append(dst, '\t')
	case 'u':
		r, _ := checkHex(esc, 1)
		if len(esc) > 5 {
			low, _ := checkHex(esc, 7)
			r = utf16.DecodeRune(r, low)
		}
		return utf8.AppendRune(dst, r)
	}
	return append(dst, esc[0])
}

// KeyEqual tells whether a key of Members, escapes and all, is the given name.
func KeyEqual(key []byte, name string) bool {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key) == name
	}
	b, ok := Unescape(make([]byte, 0, 64), key)
	return ok && string(b) == name
}

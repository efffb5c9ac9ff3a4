package names

import (
	"fmt"
	"strings"
)

const upperhex = "0123456789ABCDEF"

// plain tells whether c stands for itself in a NATS token and in a KV key of every client library.
func plain(c byte) bool { return plainBytes[c] }

var plainBytes = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") {
		table[c] = true
	}
	return table
}()

// EncodeToken writes any string as one NATS token: bytes outside [A-Za-z0-9_-] become =HH, the empty string becomes
// "=". DecodeToken is its inverse.
func EncodeToken(s string) string {
	if s == "" {
		return "="
	}
	n := 0
	for i := range len(s) {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', upperhex[c>>4], upperhex[c&15])
		}
	}
	return string(b)
}

// DecodeToken gives back what EncodeToken was given. A text that EncodeToken never yields is refused with ErrSyntax,
// so that two tokens never mean the same name.
func DecodeToken(t string) (string, error) {
	if t == "=" {
		return "", nil
	}
	if t == "" {
		return "", fmt.Errorf("%w: empty token", ErrSyntax)
	}
	if !strings.Contains(t, "=") {
		for i := range len(t) {
			if !plain(t[i]) {
				return "", fmt.Errorf("%w: %q in a token", ErrSyntax, t[i])
			}
		}
		return t, nil
	}
	b := make([]byte, 0, len(t))
	for i := 0; i < len(t); i++ {
		c := t[i]
		if plain(c) {
			b = append(b, c)
			continue
		}
		if c != '=' || i+2 >= len(t) {
			return "", fmt.Errorf("%w: bad escape in token %q", ErrSyntax, t)
		}
		hi, lo := strings.IndexByte(upperhex, t[i+1]), strings.IndexByte(upperhex, t[i+2])
		if hi < 0 || lo < 0 || plain(byte(hi<<4|lo)) {
			return "", fmt.Errorf("%w: bad escape in token %q", ErrSyntax, t)
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	return string(b), nil
}

// simple tells whether a dotted name stands for itself: no byte of it needs an escape and no segment is empty.
func simple(dotted string) bool {
	for i := range len(dotted) {
		if c := dotted[i]; !plain(c) && (c != '.' || i == 0 || dotted[i-1] == '.') {
			return false
		}
	}
	return dotted != "" && dotted[len(dotted)-1] != '.'
}

// EncodePath writes a dotted name as NATS tokens, one per segment: "rooms..red" becomes "rooms.=.red".
func EncodePath(dotted string) string {
	if simple(dotted) {
		return dotted
	}
	parts := strings.Split(dotted, ".")
	for i, p := range parts {
		parts[i] = EncodeToken(p)
	}
	return strings.Join(parts, ".")
}

// DecodePath gives back what EncodePath was given, or ErrSyntax.
func DecodePath(tokens string) (string, error) {
	if simple(tokens) {
		return tokens, nil
	}
	parts := strings.Split(tokens, ".")
	for i, p := range parts {
		d, err := DecodeToken(p)
		if err != nil {
			return "", err
		}
		if strings.Contains(d, ".") {
			// EncodePath splits at every dot, so it never escapes one.
			return "", fmt.Errorf("%w: escaped dot in %q", ErrSyntax, tokens)
		}
		parts[i] = d
	}
	return strings.Join(parts, "."), nil
}

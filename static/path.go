package static

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// errPath says that a request names no file that may be looked up: it is answered 403.
var errPath = errors.New("path refused")

// translate turns the path of a request target, raw and possibly with query, into a relative path without "." or ".."
// components, empty components, NUL or trailing slash; "" is the root itself. It is purely lexical (configuration
// §5.5). Components are separated before they are decoded, so that an encoded slash cannot make one.
func translate(target string) (string, error) {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	if plain(target) {
		return strings.Trim(target, "/"), nil
	}
	out := make([]byte, 0, len(target))
	for component := range strings.SplitSeq(target, "/") {
		if component == "" {
			continue
		}
		mark := len(out)
		if mark > 0 {
			out = append(out, '/')
		}
		start := len(out)
		var err error
		if out, err = appendDecoded(out, component); err != nil {
			return "", err
		}
		switch string(out[start:]) {
		case ".":
			out = out[:mark]
		case "..":
			return "", errPath
		}
	}
	if !utf8.Valid(out) {
		return "", errPath
	}
	return string(out), nil
}

// plain tells whether a path needs nothing done but its outer slashes removed.
func plain(target string) bool {
	before := byte(0)
	for i := range len(target) {
		c := target[i]
		if c == '%' || c == 0 || c >= utf8.RuneSelf || before == '/' && (c == '/' || c == '.') || i == 0 && c == '.' {
			return false
		}
		before = c
	}
	return true
}

// appendDecoded appends a path component with its percent escapes resolved. A plus sign stands for itself.
func appendDecoded(dst []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return dst, errPath
			}
			high, ok1 := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return dst, errPath
			}
			c = high<<4 | low
			i += 2
		}
		if c == 0 || c == '/' {
			return dst, errPath
		}
		dst = append(dst, c)
	}
	return dst, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// hostDir returns the directory that a host names, or an error for hosts that could name another place. With a suffix
// the host must end with a dot and the suffix, and what stands before them is the directory.
func hostDir(host, suffix string) (string, error) {
	if suffix != "" {
		rest, ok := strings.CutSuffix(host, suffix)
		if !ok {
			return "", errPath
		}
		if host, ok = strings.CutSuffix(rest, "."); !ok {
			return "", errPath
		}
	}
	if host == "" || host == "." || host == ".." || strings.ContainsAny(host, "/\x00") || !utf8.ValidString(host) {
		return "", errPath
	}
	return host, nil
}

// join puts a relative path below a configured directory. A slash at the directory's end is not doubled, and an empty
// relative path leaves one there.
func join(dir, rel string) string {
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + rel
	}
	return dir + "/" + rel
}

package jsontext

import "strings"

// IsMediaType tells whether the lines of a Content-Type header name JSON: exactly one line, media type
// application/json in any case, and no charset parameter other than UTF-8. The charset may be quoted and in any case
// (protocol §4.4, decision D13); other parameters are not looked at.
func IsMediaType(lines []string) bool {
	if len(lines) != 1 {
		return false
	}
	if lines[0] == "application/json" {
		return true
	}
	media, params, _ := strings.Cut(lines[0], ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return false
	}
	for params != "" {
		var p string
		p, params = cutParam(params)
		name, value, ok := strings.Cut(p, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "charset") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = strings.TrimSpace(value[1 : n-1])
		}
		if !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, "utf8") {
			return false
		}
	}
	return true
}

// cutParam splits at the first semicolon outside of quotes.
func cutParam(s string) (param, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '\\':
			if quoted {
				i++
			}
		case ';':
			if !quoted {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

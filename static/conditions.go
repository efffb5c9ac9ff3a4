package static

import (
	"net/http"
	"strings"
	"time"
)

// validators are what conditions are compared with.
type validators struct {
	// etag is our entity tag; always a weak one.
	etag string
	// modified is the time of the last modification in whole seconds; zero when the answer carries none.
	modified time.Time
}

// check evaluates the conditions of a GET or HEAD request in the order of RFC 9110 §13.2.2. It returns 0 to go on, 304
// or 412.
func (v validators) check(h http.Header) int {
	if tags := h["If-Match"]; len(tags) > 0 {
		// The comparison is the strong one, so our weak tag can only be met by a star.
		if !matches(tags, func(string) bool { return false }) {
			return http.StatusPreconditionFailed
		}
	} else if since, ok := date(h["If-Unmodified-Since"]); ok && !v.modified.IsZero() && v.modified.After(since) {
		return http.StatusPreconditionFailed
	}
	if tags := h["If-None-Match"]; len(tags) > 0 {
		own := opaque(v.etag)
		if matches(tags, func(tag string) bool { return opaque(tag) == own }) {
			return http.StatusNotModified
		}
	} else if since, ok := date(h["If-Modified-Since"]); ok && !v.modified.IsZero() && !v.modified.After(since) {
		return http.StatusNotModified
	}
	return 0
}

// rangeApplies tells whether a Range counts: always without If-Range, else only when that names exactly our
// modification time. Our weak tag never matches, the comparison being the strong one (RFC 9110 §13.1.5).
func (v validators) rangeApplies(h http.Header) bool {
	conditions := h["If-Range"]
	if len(conditions) == 0 {
		return true
	}
	at, ok := date(conditions)
	return ok && !v.modified.IsZero() && v.modified.Equal(at)
}

// matches tells whether a list of entity tags is a star or holds one that is the right one. What is no tag ends its
// header.
func matches(headers []string, right func(tag string) bool) bool {
	for _, s := range headers {
		for {
			s = strings.TrimLeft(s, " \t,")
			if s == "" {
				break
			}
			if s[0] == '*' {
				return true
			}
			tag, rest, ok := cutTag(s)
			if !ok {
				break
			}
			if right(tag) {
				return true
			}
			s = rest
		}
	}
	return false
}

// cutTag cuts one entity tag, weak or strong, off a list.
func cutTag(s string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if len(s) <= start || s[start] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(s[start+1:], '"')
	if end < 0 {
		return "", "", false
	}
	end += start + 2
	return s[:end], s[end:], true
}

// opaque is a tag without the mark of weakness.
func opaque(tag string) string { return strings.TrimPrefix(tag, "W/") }

// date reads a header that holds one date. A wrong one, or several headers, count as none.
func date(headers []string) (time.Time, bool) {
	if len(headers) != 1 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(headers[0])
	return t, err == nil
}

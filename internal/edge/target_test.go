package edge

import (
	"strings"
	"testing"
)

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"/", "/a?b#c", "*", "http://h", "HTTPS://u@h:1?x", "h:80", "//", "http://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTarget(s)
		if !ok {
			return
		}
		if got.path == "" || got.path[0] != '/' {
			t.Errorf("%q: path %q", s, got.path)
		}
		if strings.ContainsFunc(got.path+got.authority, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			t.Errorf("%q: bad bytes in %+v", s, got)
		}
		if !strings.Contains(s, got.authority) {
			t.Errorf("%q: authority %q", s, got.authority)
		}
	})
}

package listen

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestRepairTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{ // line after, target before
		"GET /100% HTTP/1.1\r\nA: %zz":     {"GET /100_ HTTP/1.1\r\nA: %zz", "/100%"},
		"GET /%zz/%4/%41?%zz HTTP/1.1\r\n": {"GET /_zz/_4/%41?%zz HTTP/1.1\r\n", "/%zz/%4/%41?%zz"},
		"GET http://h/%%41 HTTP/1.1\n":     {"GET http://h/_%41 HTTP/1.1\n", "http://h/%%41"},
		"GET /%41?% HTTP/1.1\r\n":          {"GET /%41?% HTTP/1.1\r\n", ""},
		"GET /% HTTP/1.1":                  {"GET /% HTTP/1.1", ""},
		"GET /%\r\n":                       {"GET /%\r\n", ""},
		"%\n":                              {"%\n", ""},
		"":                                 {"", ""},
	} {
		b := []byte(in)
		raw := repairTarget(b)
		if string(b) != want[0] || raw != want[1] {
			t.Errorf("%q: got %q and %q", in, b, raw)
		}
	}
}

// A line without bad escapes is untouched, and a repaired one is one that net/http takes if it is otherwise sound.
func FuzzRepairTarget(f *testing.F) {
	f.Add("GET /100% HTTP/1.1\r\nHost: h\r\n\r\n")
	f.Add("GET /%zz?% HTTP/1.1\n")
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(s)
		raw := repairTarget(b)
		if len(b) != len(s) || (raw == "") != (string(b) == s) {
			t.Fatalf("%q became %q, target %q", s, b, raw)
		}
		if !strings.Contains(s, raw) {
			t.Fatalf("%q does not hold %q", s, raw)
		}
		if !strings.HasPrefix(raw, "/") {
			return
		}
		whole := append(bytes.TrimRight(bytes.SplitAfterN(b, []byte{'\n'}, 2)[0], "\r\n"), "\r\nHost: h\r\n\r\n"...)
		if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(whole))); err != nil && strings.Contains(err.Error(), "invalid URL escape") {
			t.Errorf("%q: %v", whole, err)
		}
	})
}

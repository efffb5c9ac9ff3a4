package static

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "/": "", "//": "", "/a": "a", "a": "a", "/a/b.txt": "a/b.txt", "/a//b/": "a/b", "/file.txt/": "file.txt",
		"/./a/.": "a", "/%2e/a/%2E": "a", ".": "", "./a": "a", "/a?b/../c": "a", "/a#b": "a", "/a#b?c": "a", "?x": "", "#": "",
		"/a%20b": "a b", "/a+b": "a+b", "/a%2bb": "a+b", "/a%2Bb": "a+b", "/%D0%B0": "а", "/а": "а", "/...": "...", "/..a": "..a", "/a..": "a..",
		"/.hidden": ".hidden", "/%252e%252e": "%2e%2e", "/a\\b": "a\\b", "/%2e%2ea": "..a", "/a/%5c..": "a/\\..", "/~x": "~x",
	} {
		if got, err := translate(in); err != nil || got != want {
			t.Errorf("translate(%q) = %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"/..", "..", "/../a", "/a/..", "/a/../b", "/%2e%2e", "/%2E%2e/a", "/.%2e", "/%2e.", "/a/%2e%2e/b", "/../", "//..//",
		"/a%2fb", "/a%2Fb", "/%00", "/a%00b", "/a\x00", "/%", "/%2", "/%zz", "/a%2", "/%u0041", "/%ff", "/\xff", "/%ed%a0%80", "/%c0%ae%c0%ae",
	} {
		if got, err := translate(in); err == nil {
			t.Errorf("translate(%q) = %q, want an error", in, got)
		}
	}
}

func TestHostDir(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ host, suffix, want string }{
		{"localhost", "", "localhost"},
		{"Example.COM", "", "Example.COM"},
		{"a.example.com", "example.com", "a"},
		{"a.b.example.com", "example.com", "a.b"},
	} {
		if got, err := hostDir(c.host, c.suffix); err != nil || got != c.want {
			t.Errorf("hostDir(%q, %q) = %q %v, want %q", c.host, c.suffix, got, err, c.want)
		}
	}
	for _, c := range [][2]string{
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a/b", ""},
		{"../x", ""},
		{"a\x00", ""},
		{"\xff", ""},
		{"example.com", "example.com"},
		{".example.com", "example.com"},
		{"...example.com", "example.com"},
		{"..example.com", "example.com"},
		{"aexample.com", "example.com"},
		{"a.example.org", "example.com"},
	} {
		if got, err := hostDir(c[0], c[1]); err == nil {
			t.Errorf("hostDir(%q, %q) = %q, want an error", c[0], c[1], got)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"/r", "a", "/r/a"}, {"/r/", "a", "/r/a"}, {"/r", "", "/r/"}, {"/r/", "", "/r/"}, {"", "a", "a"}} {
		if got := join(c[0], c[1]); got != c[2] {
			t.Errorf("join(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

type fataler interface{ Fatalf(string, ...any) }

// inside is the property that decision D34 asks for: whatever a request says, lexically the file is below the root.
func inside(t fataler, target, host string) {
	const root = "/srv/www"
	h := &Handler{cfg: Config{Path: root, Mode: ModeHostname}}
	rel, err := translate(target)
	if err == nil {
		full := join(root, rel)
		if !utf8.ValidString(rel) || strings.ContainsRune(rel, 0) || filepath.Clean(full) != strings.TrimSuffix(full, "/") {
			t.Fatalf("translate(%q) = %q", target, rel)
		}
		if clean := filepath.Clean(full); clean != root && !strings.HasPrefix(clean, root+"/") {
			t.Fatalf("translate(%q) leaves the root: %q", target, clean)
		}
		if slow, err := translate("/%2e/" + target); err != nil || slow != rel {
			t.Fatalf("translate(%q) = %q, but with a dot before it %q %v", target, rel, slow, err)
		}
	}
	dir, err := hostDir(host, h.cfg.StripHostSuffix)
	if err == nil {
		if clean := filepath.Clean(join(root, dir)); filepath.Dir(clean) != root {
			t.Fatalf("hostDir(%q) leaves the root: %q", host, clean)
		}
	}
}

func TestTranslateStaysInside(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"/", "//", ".", "..", "%2e", "%2E", "%2f", "%", "%00", "a", "b.txt", "%61", "?", "#", "+", "\\", "é", "\xff", "%252e", " "})
	rapid.Check(t, func(t *rapid.T) {
		inside(t, strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "target"), ""), strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "host"), ""))
	})
}

func FuzzTranslate(f *testing.F) {
	for _, s := range []string{"/a/b.txt?q", "/../x", "/%2e%2e/x", "/a%2f..%2fb", "//./a", "/.%2E"} {
		f.Add(s, "localhost")
		f.Add("/", s)
	}
	f.Fuzz(func(t *testing.T, target, host string) { inside(t, target, host) })
}

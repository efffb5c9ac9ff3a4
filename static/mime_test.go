package static

import (
	"slices"
	"strings"
	"testing"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	with, without := newTypes("utf-8"), newTypes("")
	for path, want := range map[string]string{
		"/a/x.txt": "text/plain; charset=utf-8", "x.html": "text/html; charset=utf-8", "x.HTML": "text/html; charset=utf-8", "x.Htm": "text/html; charset=utf-8",
		"x.css": "text/css; charset=utf-8", "x.js": "text/javascript; charset=utf-8", "x.mjs": "text/javascript; charset=utf-8",
		"x.json": "application/json", "x.svg": "image/svg+xml", "x.png": "image/png", "x.wasm": "application/wasm", "x.woff2": "font/woff2",
		"x.webmanifest": "application/manifest+json", "x.ico": "image/vnd.microsoft.icon", "x.pdf": "application/pdf", "x.webp": "image/webp",
		"x.tar.gz": "application/gzip", "x.mp4": "video/mp4", "x.xml": "application/xml", "x.md": "text/markdown; charset=utf-8", "x.ics": "text/calendar; charset=utf-8",
		"x": unknownType, "x.": unknownType, ".html": unknownType, "/a.html/x": unknownType, "/a/.png": unknownType, "x.nosuchthing": unknownType, "x.bin": unknownType,
	} {
		if got := with.of(path).contentType; !slices.Equal(got, []string{want}) {
			t.Errorf("type of %q = %q, want %q", path, got, want)
		}
		bare, _, _ := strings.Cut(want, ";")
		if got := without.of(path).contentType; !slices.Equal(got, []string{bare}) {
			t.Errorf("type of %q without charset = %q, want %q", path, got, bare)
		}
		if got, want := without.of(path).text, strings.Contains(want, "charset"); got != want {
			t.Errorf("%q: text %v, want %v", path, got, want)
		}
	}
}

// TestTypeTable holds the table to its form: a line that is written wrongly would be lost silently.
func TestTypeTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for line := range strings.Lines(mimeTypes) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Count(fields[0], "/") != 1 {
			t.Fatalf("line %q", line)
		}
		for _, ext := range fields[1:] {
			if seen[ext] || ext != strings.ToLower(ext) || strings.ContainsAny(ext, "./;") {
				t.Errorf("extension %q", ext)
			}
			seen[ext] = true
		}
	}
	if len(seen) < 1000 || len(seen) != len(typesByExtension()) {
		t.Errorf("%d extensions, %d in the table", len(seen), len(typesByExtension()))
	}
}

func TestAcceptedEncodings(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "plain", "gzip": "gzip plain", "gzip, br": "br gzip plain", "br;q=0.5, gzip": "gzip br plain", "gzip;q=0, br": "br plain", "*": "plain",
		"GZIP": "plain", "gzip;q=2": "plain", "gzip;q=0.1234": "plain", "gzip;q=abc": "plain", "gzip;q=": "plain", "gzip; q=0.001": "gzip plain",
		"identity, gzip": "gzip plain", "identity;q=1, gzip;q=0.5": "plain gzip", "identity;q=0": "plain", "deflate, gzip;q=0.8, zstd": "gzip plain",
		"gzip;q=1.000": "gzip plain", "gzip;q=1.001": "plain", "gzip;q=0.": "plain", "gzip;level=1": "gzip plain", "gzip;q=0.5;x=1": "gzip plain",
		"br;q=0.3,gzip;q=0.2,br;q=0.1,gzip;q=0.05": "br gzip br plain", ",, ,": "plain",
	} {
		var got []string
		for _, e := range accepted([]string{in}) {
			got = append(got, map[string]string{"": "plain"}[e.name]+e.name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("accepted(%q) = %q, want %q", in, s, want)
		}
	}
	if got := accepted([]string{"gzip;q=0.5", "br"}); len(got) != 3 || got[0].name != "br" {
		t.Errorf("two headers: %v", got)
	}
}

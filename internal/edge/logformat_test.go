package edge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/edge"
)

func TestParseLogFormat(t *testing.T) {
	t.Parallel()
	lit := func(s string) edge.LogPart { return edge.LogPart{Text: s} }
	val := func(v edge.LogVariable) edge.LogPart { return edge.LogPart{Variable: v} }
	for in, want := range map[string]edge.LogFormat{
		"":                           nil,
		"  just\n\t text ":           {lit("just text")},
		"{{request.method}}":         {val(edge.LogMethod)},
		"a {{ request.path }}b":      {lit("a "), val(edge.LogPath), lit("b")},
		`{{ "x" }}-{{ 'y z' }}{{7}}`: {lit("x-y z7")},
		"## syntax: oneline\n### a comment\n{{ request.host }}\n  {{ response.status_code }}\n": {val(edge.LogHost), lit(" "), val(edge.LogStatusCode)},
		"{{ request.unknown }}": {val("request.unknown")},
		"} }} {":                {lit("} }} {")},
		`{{ "}}" }}`:            {lit("}}")},
	} {
		got, err := edge.ParseLogFormat(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
	for in, want := range map[string]string{
		"## if request.path\nx\n## endif": "line 1: statements are not supported",
		"x\n  ## for a in b":              "line 2: statements are not supported",
		"## syntax: indent":               "statements are not supported",
		"a {{ request.path":               "{{ is not closed",
		"a {{":                            "{{ is not closed",
		`{{ "x }}`:                        "a quote is not closed",
		"{{ }}":                           "only variables and literals",
		"{{ a == b }}":                    `only variables and literals may stand in {{ }}: "a == b"`,
		"{{ a | upper }}":                 "only variables and literals",
		"{{- a }}":                        "only variables and literals",
		"{{ a[0] }}":                      "only variables and literals",
	} {
		_, err := edge.ParseLogFormat(in)
		if !errors.Is(err, edge.ErrLogFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func FuzzParseLogFormat(f *testing.F) {
	f.Add(edge.DefaultLogFormat)
	f.Add("## if x\n{{ 'a' }}")
	f.Fuzz(func(t *testing.T, s string) {
		format, err := edge.ParseLogFormat(s)
		if err != nil {
			return
		}
		for _, p := range format {
			if strings.ContainsAny(p.Text, "\n\r") || (p.Text == "") == (p.Variable == "") {
				t.Errorf("%q: part %+v", s, p)
			}
		}
	})
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.DebugLogging = true
	cfg.RequestLog, _ = edge.ParseLogFormat(edge.DefaultLogFormat)
	handlers := map[string]http.HandlerFunc{"show": show}
	r := start(t, cfg, map[string]string{"h": "show", "h/no": "show @deny"}, handlers)
	r.get(t, "GET", "/a?b", "h:80")
	r.get(t, "PUT", "/no", "h")
	r.get(t, "GET", "/", "x")
	r.get(t, "OPTIONS", "*", "h")
	r.get(t, "GET", "http://h/abs", "other")
	r.raw(t, "GET / HTTP/1.0\n\n")
	want := `127.0.0.1 h:80 "GET /a?b HTTP/1.1" 200
127.0.0.1 h "PUT /no HTTP/1.1" 403
127.0.0.1 x "GET / HTTP/1.1" 404
127.0.0.1 h "OPTIONS  HTTP/1.1" 200
127.0.0.1 h "GET /abs HTTP/1.1" 200
127.0.0.1 - "GET / HTTP/1.0" 404
`
	// A line is written when the handler has ended, which is a moment after the answer: drain to see all.
	r.group.Close()
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.lines.String()); d != "" {
		t.Error(d)
	}

	cfg.RequestLog, _ = edge.ParseLogFormat("{{ request.nope }}")
	r = start(t, cfg, map[string]string{"h": "show"}, handlers)
	r.raw(t, "GET / HTTP/1.0\nHost: h\n\n")
	r.raw(t, "GET / HTTP/1.0\nHost: h\n\n")
	if n := strings.Count(r.log.String(), "unknown variable"); n != 1 || r.lines.String() != "" {
		t.Errorf("unknown variable: %d warnings, lines %q", n, r.lines)
	}

	cfg.DebugLogging = false
	r = start(t, cfg, map[string]string{"h": "show"}, handlers)
	r.raw(t, "GET / HTTP/1.0\nHost: h\n\n")
	if r.lines.String() != "" {
		t.Errorf("without debug-logging: %q", r.lines)
	}
}

package config

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/routing"
)

// headers are the extra headers of a handler "h", which is all that most tests of the language need.
func headers(t *testing.T, l *Loaded) map[string]string {
	t.Helper()
	h, ok := l.Config.Handlers["h"].(EmptyGifHandler)
	if !ok {
		t.Fatalf("handlers are %v", l.Config.Handlers)
	}
	return h.ExtraHeaders
}

func TestScalarsAreText(t *testing.T) {
	t.Parallel()
	got := headers(t, mustLoad(t, `
handlers:
  h: !EmptyGif
    extra-headers:
      a: 0755
      b: yes
      c: 1.0
      d: Null
      e: "null"
      f: "~"
      g: ""
      h: 2001-01-01
      i: 'it''s'
      j: "a\tb\x41\u00e9"
      k: |
        two
        lines
      l: >
        fol
        ded
      m: !!int 012
      n: NULL
      ? 1.0
      : number as key
      ~: null as key
      _x: in free mappings nothing is special
`))
	want := map[string]string{
		"a": "0755", "b": "yes", "c": "1.0", "d": "Null", "e": "null", "f": "~", "g": "", "h": "2001-01-01", "i": "it's",
		"j": "a\tbA\u00e9", "k": "two\nlines\n", "l": "fol ded\n", "m": "012", "n": "NULL", "1.0": "number as key",
		"": "null as key", "_x": "in free mappings nothing is special",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	// Both: the one with underscores counts, the other is not even looked at.
	c := mustLoad(t, "max_connections: 5\nmax-connections: nonsense\n").Config
	if c.Edge.MaxConnections != 5 {
		t.Errorf("max_connections is %d", c.Edge.MaxConnections)
	}
	// Names of the user's own are not touched.
	c = mustLoad(t, "disk-pools: {a-b: {num-threads: 1}, a_b: {num_threads: 2}}").Config
	if c.DiskPools["a-b"].NumThreads != 1 || c.DiskPools["a_b"].NumThreads != 2 {
		t.Errorf("disk pools %v", c.DiskPools)
	}
	// Keys with an underscore in front are ignored in every structure, whatever they hold.
	mustLoad(t, "_a: !Foo [1, {b: ~}]\nhandlers:\n  h: !EmptyGif {_b: [x]}\nreplication: {_c: {d: e}}\n")
}

func TestNulls(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
server-name:
set-user: ~
handlers:
  st: !Static {path: x, text-charset: null, mode: ~, index-files: , extra-headers: }
  sf: !SingleFile {path: x, content-type: }
listen:
networks: {n: }
`).Config
	st, _ := c.Handlers["st"].(StaticHandler)
	if c.Edge.ServerName != "" || c.SetUser != "" || st.TextCharset != "" || st.Mode != "relative_to_route" {
		t.Errorf("%q %q %+v", c.Edge.ServerName, c.SetUser, st)
	}
	if n, ok := c.Networks["n"]; !ok || n != nil {
		t.Errorf("networks %v", c.Networks)
	}
}

func TestMergeUnpackInclude(t *testing.T) {
	t.Parallel()
	l, _, err := load(t, map[string]string{
		"main.yaml": `
_a: &a {x: a, y: a}
_b: &b {y: b, z: b, w: {deep: 1}}
_l: &l [127.0.0.1, 127.0.0.2]
listen:
- !*Unpack [*l, [127.0.0.3], !*Include sub/list.yaml, ]
- 127.0.0.9
handlers:
  h: !EmptyGif
    extra-headers:
      <<: [*a, {z: c, y: c}, !*Include sub/map.yaml, !*Include empty.yaml]
      x: own
  <<: !*Include sub/handlers.yaml
  i: !EmptyGif
routing: !*Include sub/routing.yaml
`,
		"empty.yaml":        "# nothing\n",
		"sub/list.yaml":     "[127.0.0.4]",
		"sub/map.yaml":      "{v: file, z: file}",
		"sub/handlers.yaml": "i: !SelfStatus\nj: !SelfStatus {extra-headers: !*Include more/e.yaml}\n",
		"sub/more/e.yaml":   "{A: b}",
		"sub/routing.yaml":  "localhost: h\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	want := map[string]string{"x": "own", "y": "a", "z": "c", "v": "file"}
	if d := cmp.Diff(want, headers(t, l)); d != "" {
		t.Errorf("merged: %s", d)
	}
	if d := cmp.Diff([]string{"127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:80", "127.0.0.4:80", "127.0.0.9:80"}, c.Edge.Listen); d != "" {
		t.Errorf("unpacked: %s", d)
	}
	if _, own := c.Handlers["i"].(EmptyGifHandler); !own {
		t.Errorf("the merged handler won: %v", c.Handlers["i"])
	}
	if d := cmp.Diff(SelfStatusHandler{builtin.SelfStatusConfig{ExtraHeaders: map[string]string{"A": "b"}}}, c.Handlers["j"]); d != "" {
		t.Errorf("nested include: %s", d)
	}
	if d := cmp.Diff([]routing.Rule{{Key: routing.Key{Host: "localhost"}, Target: routing.Target{Handler: "h"}}}, c.Routing); d != "" {
		t.Errorf("included routing: %s", d)
	}
}

func TestMixins(t *testing.T) {
	t.Parallel()
	l, _, err := load(t, map[string]string{
		"main.yaml": `
routing: {localhost: b-h @a-auth}
handlers:
  p: !Proxy {destination: a-d}
mixins: {b-: b.yaml, a-: m/a.yaml}
`,
		"m/a.yaml": `
_x: &x [10.0.0.1]
authorizers: {a-auth: !SourceIp {allowed-network: a-n}}
networks: {a-n: *x}
http-destinations: {a-d: {addresses: [b]}}
`,
		"b.yaml": `
handlers:
  b-h: !SwindonLattice {session-pool: b-p, http-route: p, message-handlers: {"*": b-n}}
session-pools: {b-p: }
nats-destinations: {b-n: }
`,
	}, "SWINDON__SESSION_POOLS__B_P__MAX_PENDING=7")
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.SessionPools["b-p"].MaxPending != 7 || len(c.HTTPDestinations) != 1 || len(c.Networks["a-n"]) != 1 {
		t.Errorf("%+v", c)
	}
	if _, ok := c.Handlers["default"]; !ok || len(c.Handlers) != 3 {
		t.Errorf("handlers %v", slices.Sorted(maps.Keys(c.Handlers)))
	}
}

func TestDefaultsCanBeReplaced(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
handlers: {default: !EmptyGif }
authorizers: {default: !SourceIp {allowed-network: n}}
log-formats: {debug-log: {template: "x"}, other: {template: "{{request.path}}"}}
disk-pools: {default: {num-threads: 3}}
`).Config
	if _, ok := c.Handlers["default"].(EmptyGifHandler); !ok {
		t.Errorf("handlers %v", c.Handlers)
	}
	if _, ok := c.Authorizers["default"].(SourceIPAuthorizer); !ok {
		t.Errorf("authorizers %v", c.Authorizers)
	}
	if d := cmp.Diff(edge.LogFormat{{Text: "x"}}, c.Edge.RequestLog); d != "" || c.DiskPools["default"].NumThreads != 3 {
		t.Errorf("%s %v", d, c.DiskPools)
	}
	// The built-in template parses, and is the documented line.
	want := edge.LogFormat{
		{Variable: edge.LogClientIP},
		{Text: " "},
		{Variable: edge.LogHost},
		{Text: ` "`},
		{Variable: edge.LogMethod},
		{Text: " "},
		{Variable: edge.LogPath},
		{Text: " "},
		{Variable: edge.LogVersion},
		{Text: `" `},
		{Variable: edge.LogStatusCode},
	}
	if d := cmp.Diff(want, Default().Edge.RequestLog); d != "" {
		t.Error(d)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, `
listen: [UPPER, "a:99999", ok]
handlers:
  b: !Proxy {destination: d, request-id-header: X}
  a: !Proxy {destination: d, request-id-header: X}
http-destinations: {d: {addresses: [-x]}}
`, "SWINDON__NOPE=1", "SWINDON_SERVICE_PORT=1", "SWINDON__SESSION_POOLS__NONE__MAX_PENDING=1", "PATH=/bin")
	var check, run []string
	for _, w := range l.Warnings {
		if w.AtRun {
			run = append(run, w.Text)
		} else {
			check = append(check, w.Module+": "+w.Text)
		}
	}
	const text = "swindon::config::read: handler%: request_id_header is deprecated in !Proxy setting, it must be specified in http destination"
	want := []string{strings.Replace(text, "%", `"a"`, 1), strings.Replace(text, "%", `"b"`, 1)}
	if d := cmp.Diff(want, check); d != "" {
		t.Error(d)
	}
	got := strings.Join(run, "\n")
	for _, part := range []string{
		`2:10: Error parsing name: invalid host name in address "UPPER"`, `2:17: Error parsing name: invalid port`,
		`6:37: Error parsing name`, "SWINDON__NOPE means no key", "SWINDON__SESSION_POOLS__NONE__MAX_PENDING means no key",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no warning with %q in\n%s", part, got)
		}
	}
	if len(run) != 5 {
		t.Errorf("%d warnings: %q", len(run), run)
	}
	if d := cmp.Diff([]string{"ok:80"}, l.Config.Edge.Listen); d != "" {
		t.Error(d)
	}
}

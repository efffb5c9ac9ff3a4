package routing_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/routing"
)

// rules parses routes in the form of the configuration.
func rules(t testing.TB, routes map[string]string) []routing.Rule {
	t.Helper()
	var out []routing.Rule
	for _, key := range slices.Sorted(maps.Keys(routes)) {
		k, err := routing.ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		target, err := routing.ParseTarget(routes[key])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, routing.Rule{Key: k, Target: target})
	}
	return out
}

// self keeps the route itself as the value.
func self(r routing.Route) (routing.Route, error) { return r, nil }

func table(t testing.TB, routes map[string]string) *routing.Table[routing.Route] {
	t.Helper()
	tab, err := routing.NewTable(rules(t, routes), self)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestLookup(t *testing.T) {
	t.Parallel()
	tab := table(t, map[string]string{
		"example.com":         "main",
		"example.com/app":     "app",
		"example.com/app/x":   "appx",
		"www.example.com/a":   "wwwa",
		"*.example.com":       "sub",
		"*.example.com/a":     "suba",
		"*.star.org":          "star",
		"only.net":            "only",
		"only.net/p":          "onlyp",
		"deep.sub.only.net/q": "deepq",
		"localhost:8080":      "port",
		"*":                   "any",
		"*/any":               "anypath",
	})
	for _, tc := range []struct{ host, target, handler, prefix, suffix string }{
		{"example.com", "/", "main", "", "/"},
		{"example.com", "", "main", "", ""},
		{"example.com", "/app", "app", "/app", ""},
		{"example.com", "/app/", "app", "/app", "/"},
		{"example.com", "/app?q=/x", "app", "/app", "?q=/x"},
		{"example.com", "/app#f", "app", "/app", "#f"},
		{"example.com", "/apple", "main", "", "/apple"},
		{"example.com", "/app%2fx", "main", "", "/app%2fx"},
		{"example.com", "/app/x/y", "appx", "/app/x", "/y"},
		{"example.com", "/app/xy", "app", "/app", "/xy"},
		{"example.com", "//app", "main", "", "//app"},
		{"Example.com", "/", "any", "", "/"}, // case-sensitive
		{"a.example.com", "/", "sub", "", "/"},
		{"a.b.example.com", "/a/b", "suba", "/a", "/b"},
		{".example.com", "/", "sub", "", "/"},
		{"www.example.com", "/a", "wwwa", "/a", ""},
		{"www.example.com", "/b", "default", "", "/b"}, // no second choice among hosts
		{"x.www.example.com", "/a", "default", "", "/a"},
		{"star.org", "/", "star", "", "/"}, // no exact entry: the host itself, too
		{"x.star.org", "/", "star", "", "/"},
		{"only.net", "/p/1", "onlyp", "/p", "/1"},
		{"x.only.net", "/p/1", "default", "", "/p/1"}, // captured, although "*" exists
		{"deep.sub.only.net", "/q", "deepq", "/q", ""},
		{"deep.sub.only.net", "/", "default", "", "/"},
		{"localhost", "/", "any", "", "/"},
		{"", "/any", "anypath", "/any", ""},
		{"org", "/any/1?x", "anypath", "/any", "/1?x"},
		{"notexample.com", "/app", "any", "", "/app"},
	} {
		m, ok := tab.Lookup(tc.host, tc.target)
		if !ok {
			t.Errorf("%s%s: nothing found", tc.host, tc.target)
			continue
		}
		got := []string{m.Value.Handler, m.Prefix, m.Suffix}
		if want := []string{tc.handler, tc.prefix, tc.suffix}; !slices.Equal(got, want) {
			t.Errorf("%s%s: got %q, want %q", tc.host, tc.target, got, want)
		}
	}
}

func TestLookupFindsNothing(t *testing.T) {
	t.Parallel()
	tab := table(t, map[string]string{"a.org": "a", "*.b.org": "b"})
	for _, h := range []string{"", "org", "c.org", "xa.org", "xb.org", "*"} {
		if m, ok := tab.Lookup(h, "/"); ok {
			t.Errorf("%q: found %v", h, m)
		}
	}
	if _, ok := table(t, nil).Lookup("a", "/"); ok {
		t.Error("an empty table found something")
	}
}

// The example of the specification, and the steps of inheritance one by one.
func TestAuthorizerInheritance(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		routes map[string]string
		want   map[string]string // key to authorizer, implicit routes included
	}{
		{
			"nearest first",
			map[string]string{
				"*.e.org": "site @a1", "e.org": "main", "e.org/admin": "adm @a2", "e.org/admin/x": "h", "e.org/other": "o",
			},
			map[string]string{"*.e.org": "a1", "e.org": "a1", "e.org/admin": "a2", "e.org/admin/x": "a2", "e.org/other": "a1"},
		},
		{
			"parents and the implicit capture",
			map[string]string{"*": "any @top", "*.org": "o", "*.e.org": "p @mid", "a.b.e.org/x": "h", "z.net": "n @own"},
			map[string]string{
				"*": "top", "*.org": "top", "*.e.org": "mid", "a.b.e.org": "mid", "*.a.b.e.org": "mid", "a.b.e.org/x": "mid",
				"z.net": "own", "*.z.net": "top",
			},
		},
		{
			"paths of other hosts and exact hosts do not count",
			map[string]string{"*.e.org/x": "h @no", "e.org": "m @no", "a.e.org/x": "i", "*/x": "j @no"},
			map[string]string{
				"*.e.org": "default", "*.e.org/x": "no", "e.org": "no", "a.e.org": "default", "*.a.e.org": "default",
				"a.e.org/x": "default", "*": "default", "*/x": "no",
			},
		},
	} {
		got := map[string]string{}
		for _, r := range routing.Effective(rules(t, tc.routes)) {
			got[r.Key.String()] = r.Authorizer
			if _, explicit := tc.routes[r.Key.String()]; explicit == r.Implicit {
				t.Errorf("%s: %s: implicit is %v", tc.name, r.Key, r.Implicit)
			}
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

func TestNewTableErrors(t *testing.T) {
	t.Parallel()
	k := routing.Key{Host: "a"}
	errX := errors.New("unknown")
	_, err := routing.NewTable([]routing.Rule{{Key: k}, {Key: k}}, func(routing.Route) (int, error) { return 0, errX })
	if !errors.Is(err, routing.ErrDuplicate) || !errors.Is(err, errX) {
		t.Errorf("got %v", err)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	tab := table(t, map[string]string{"*": "any", "*.example.com/a/b": "x", "example.com/a": "y"})
	n := testing.AllocsPerRun(100, func() {
		tab.Lookup("www.example.com", "/a/b/c?d")
		tab.Lookup("example.com", "/zzz")
		tab.Lookup("a.b.c.d", "/")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	tab := table(b, map[string]string{"*": "any", "example.com/api": "x", "example.com/api/v1": "y", "example.com": "z"})
	hostile := strings.Repeat(".", 1<<15)
	for b.Loop() {
		tab.Lookup("www.example.com", "/api/v1/things?x=1")
		tab.Lookup(hostile, hostile)
	}
}

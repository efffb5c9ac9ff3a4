package routing_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/routing"
)

func patterns(t testing.TB, texts ...string) *routing.Patterns[string] {
	t.Helper()
	m := map[string]string{}
	for _, p := range texts {
		m[p] = p
	}
	p, err := routing.NewPatterns(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	p := patterns(t, "*", "desk.*", "desk.admin.*", "desk.a", "desk.li*", ".*", "swindon.authorize_connection")
	for method, want := range map[string]string{
		"desk.a":                       "desk.a",
		"desk.b":                       "desk.*",
		"desk.a.b":                     "desk.*",
		"desk.admin.x":                 "desk.admin.*",
		"desk.admin.":                  "desk.*",
		"desk.admin":                   "desk.*",
		"desk":                         "*",
		"desk.":                        "*",
		"desktop.x":                    "*",
		"desk.list":                    "desk.*",
		"x.desk.a":                     "*",
		".x":                           ".*",
		".":                            "*",
		"":                             "*",
		"desk..":                       "desk.*",
		"swindon.authorize_connection": "swindon.authorize_connection",
	} {
		if got := p.Lookup(method); got != want {
			t.Errorf("%q: got %q, want %q", method, got, want)
		}
	}
}

func TestPatternsNeedDefault(t *testing.T) {
	t.Parallel()
	if _, err := routing.NewPatterns(map[string]int{"a.*": 1}); !errors.Is(err, routing.ErrNoDefault) {
		t.Errorf("got %v", err)
	}
}

// propPatterns: the table agrees with a linear scan.
func propPatterns(t *rapid.T) {
	texts := rapid.SliceOf(rapid.StringMatching(`(a|b|aa|)(\.(a|b|)){0,3}(\.\*|\*|)`)).Draw(t, "patterns")
	m := map[string]string{"*": "*"}
	for _, p := range texts {
		m[p] = p
	}
	p, err := routing.NewPatterns(m)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		method := rapid.StringMatching(`(a|b|aa|)(\.(a|b|)){0,4}\*?`).Draw(t, "method")
		want, longest := "*", -1
		if method != "*" && m[method] == method && !strings.HasSuffix(method, ".*") {
			if _, ok := m[method]; ok {
				want, longest = method, len(method)+1
			}
		}
		for text := range m {
			prefix, star := strings.CutSuffix(text, "*")
			if star && strings.HasSuffix(prefix, ".") && len(method) > len(prefix) && strings.HasPrefix(method, prefix) && len(prefix) > longest {
				want, longest = text, len(prefix)
			}
		}
		if got := p.Lookup(method); got != want {
			t.Fatalf("%q: got %q, want %q", method, got, want)
		}
	}
}

func TestPatternsAgreeWithTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, propPatterns)
}

func FuzzPatterns(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propPatterns)) }

func TestPatternsAllocateNothing(t *testing.T) {
	p := patterns(t, "*", "desk.*", "desk.admin.*")
	if n := testing.AllocsPerRun(100, func() { p.Lookup("desk.admin.a.b"); p.Lookup("x") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

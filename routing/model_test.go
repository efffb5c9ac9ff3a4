package routing_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/routing"
)

// twin is the dumb table: it walks all rules in the order of the specification.
type twin []routing.Rule

// lookup returns handler, authorizer, prefix and suffix.
func (t twin) lookup(host, target string) (out [4]string, found bool) {
	type entry struct {
		text string
		star bool
	}
	var entries []entry
	for _, r := range t {
		if !r.Key.Any {
			entries = append(entries, entry{r.Key.Host, false}, entry{r.Key.Host, true})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if len(a.text) != len(b.text) {
			return len(b.text) - len(a.text)
		}
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		return map[bool]int{false: -1, true: 1}[a.star]
	})
	hasExact := func(text string) bool {
		return slices.ContainsFunc(t, func(r routing.Rule) bool { return !r.Key.Any && !r.Key.Star && r.Key.Host == text })
	}
	for _, e := range entries {
		sub := strings.HasSuffix(host, "."+e.text)
		switch {
		case !e.star && hasExact(e.text) && host == e.text,
			e.star && hasExact(e.text) && sub,
			e.star && !hasExact(e.text) && (sub || host == e.text):
			return t.path(routing.Key{Host: e.text, Star: e.star}, target), true
		}
	}
	for _, r := range t {
		if r.Key.Any {
			return t.path(routing.Key{Any: true}, target), true
		}
	}
	return out, false
}

func (t twin) path(host routing.Key, target string) [4]string {
	best := routing.Rule{Key: host, Target: routing.Target{Handler: "default"}}
	for _, r := range t {
		k := r.Key
		k.Path = ""
		if k != host || !covers(r.Key.Path, target) || len(r.Key.Path) < len(best.Key.Path) {
			continue
		}
		best = r
	}
	return [4]string{best.Target.Handler, t.authorizer(best.Key), best.Key.Path, target[len(best.Key.Path):]}
}

func covers(prefix, target string) bool {
	rest, ok := strings.CutPrefix(target, prefix)
	return ok && (prefix == "" || rest == "" || strings.Contains("/?#", rest[:1]))
}

func (t twin) named(k routing.Key) string {
	for _, r := range t {
		if r.Key == k {
			return r.Target.Authorizer
		}
	}
	return ""
}

func (t twin) authorizer(k routing.Key) string {
	// Of the rules whose path covers this one, the longest that names an authorizer.
	best, found := "", -1
	for _, r := range t {
		same := r.Key.Host == k.Host && r.Key.Star == k.Star && r.Key.Any == k.Any
		if same && covers(r.Key.Path, k.Path) && r.Target.Authorizer != "" && len(r.Key.Path) > found {
			best, found = r.Target.Authorizer, len(r.Key.Path)
		}
	}
	if found >= 0 {
		return best
	}
	if !k.Any {
		labels := strings.Split(k.Host, ".")
		for i := range labels {
			if a := t.named(routing.Key{Host: strings.Join(labels[i:], "."), Star: true}); a != "" {
				return a
			}
		}
	}
	if a := t.named(routing.Key{Any: true}); a != "" {
		return a
	}
	return "default"
}

var (
	genHost = rapid.StringMatching(`(a|b|ab|)(\.(a|b|c)){0,3}`)
	genPath = rapid.StringMatching(`(/(x|y|xy|x\?y|)){0,3}`)
)

// The table agrees with the twin on every host and target.
func propTable(t *rapid.T) {
	keys := rapid.SliceOfDistinct(rapid.Custom(func(t *rapid.T) routing.Key {
		k := routing.Key{Path: strings.TrimRight(genPath.Draw(t, "path"), "/")}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			k.Any = true
		case 1, 2:
			k.Star = true
			fallthrough
		default:
			k.Host = genHost.Draw(t, "host")
		}
		return k
	}), func(k routing.Key) routing.Key { return k }).Draw(t, "keys")
	var rs twin
	for i, k := range keys {
		target := routing.Target{Handler: "h" + k.String()}
		if rapid.Bool().Draw(t, "has authorizer") {
			target.Authorizer = "auth" + string(rune('A'+i))
		}
		rs = append(rs, routing.Rule{Key: k, Target: target})
	}
	tab, err := routing.NewTable(rs, self)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		host, target := genHost.Draw(t, "host"), genPath.Draw(t, "target")
		want, wantFound := rs.lookup(host, target)
		m, found := tab.Lookup(host, target)
		got := [4]string{}
		if found {
			got = [4]string{m.Value.Handler, m.Value.Authorizer, m.Prefix, m.Suffix}
		}
		if got != want || found != wantFound {
			t.Fatalf("%q %q: got %q %v, want %q %v", host, target, got, found, want, wantFound)
		}
	}
}

func TestTableAgreesWithTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, propTable)
}

func FuzzTableModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propTable)) }

// FuzzTable feeds arbitrary texts: no panic, and a match is always a split of the target.
func FuzzTable(f *testing.F) {
	f.Add("example.com/a", "h @b", "x.example.com", "/a/b?c")
	f.Add("*.e/x", "h", "e", "")
	f.Add("*", "@a h", "", "*")
	f.Fuzz(func(t *testing.T, key, value, host, target string) {
		k, err := routing.ParseKey(key)
		if err != nil {
			return
		}
		v, err := routing.ParseTarget(value)
		if err != nil {
			return
		}
		tab, err := routing.NewTable([]routing.Rule{{Key: k, Target: v}}, self)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := tab.Lookup(host, target)
		if ok && m.Prefix+m.Suffix != target {
			t.Errorf("%q and %q are not %q", m.Prefix, m.Suffix, target)
		}
		if again, err := routing.ParseKey(k.String()); err != nil || again != k {
			t.Errorf("%+v is written %q and read %+v, %v", k, k, again, err)
		}
	})
}

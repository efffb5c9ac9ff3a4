package lattice

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
)

// The generators draw from few names and values, so that most pairs of states have something to decide.

func genVars(t *rapid.T, texts []string) []variable {
	var list []variable
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"a_counter", "b_counter", "c_counter", "k_register", "l_register", "s_set", "t_set",
	}), 0, 4, rapid.ID[string]).Draw(t, "names") {
		p := parser{}
		var s State
		if err := p.member(&s, name, []byte(genValue(t, name, texts))); err != nil {
			t.Fatal(err)
		}
		list = append(list, s.vars...)
	}
	slices.SortFunc(list, byName)
	return list
}

func genValue(t *rapid.T, name string, texts []string) string {
	switch {
	case strings.HasSuffix(name, "_counter"):
		return strconv.Itoa(rapid.IntRange(0, 4).Draw(t, "counter"))
	case strings.HasSuffix(name, "_set"):
		set := rapid.SliceOfN(rapid.SampledFrom([]string{`"v"`, `"w"`, `"x"`, `"y"`, `"z"`, `"\"\u0001ü"`}), 0, 4).Draw(t, "set")
		return "[" + strings.Join(set, ",") + "]"
	}
	version := rapid.SampledFrom([]string{"-1", "0", "-0.0", "1", "1e21"}).Draw(t, "version")
	return "[" + version + "," + rapid.SampledFrom(texts).Draw(t, "text") + "]"
}

var (
	canonicalTexts = []string{`"x"`, `1`, `null`, `{"a":1}`, `[]`}
	// alike has texts that are the same but for the writing.
	alike = append([]string{`"\u0078"`, `1.0`, `10e-1`, ` {"a":2,"a" : 1}`, `[ ]`, `{"b":2,"a":1}`, `{"a":1,"b":2}`}, canonicalTexts...)
)

func genState(texts []string) *rapid.Generator[State] {
	return rapid.Custom(func(t *rapid.T) State {
		return State{
			End:  int64(rapid.IntRange(0, 3).Draw(t, "end")),
			Gen:  uint64(rapid.IntRange(0, 2).Draw(t, "gen")),
			vars: genVars(t, texts),
		}
	})
}

func genKeys(texts []string) *rapid.Generator[Keys] {
	return rapid.Custom(func(t *rapid.T) Keys {
		var k Keys
		for _, key := range rapid.SliceOfN(rapid.SampledFrom([]names.Key{"a", "b", "c", "d:1", "e.f", "g-h"}), 0, 5).Draw(t, "keys") {
			k.Put(key, genState(texts).Draw(t, "state"))
		}
		return k
	})
}

func joined(a, b *Keys) Keys {
	j := a.Clone()
	j.Merge(b)
	return j
}

func mustEqual(t *rapid.T, what string, a, b *Keys) {
	t.Helper()
	if !a.Equal(b) {
		t.Fatalf("%s:\n%s\n%s", what, a.AppendStored(nil), b.AppendStored(nil))
	}
	if a.Digest() != b.Digest() {
		t.Fatalf("%s: equal, but the digests are not:\n%s\n%s", what, a.AppendStored(nil), b.AppendStored(nil))
	}
}

func TestJoinLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := genKeys(alike)
		a, b, c := g.Draw(t, "a"), g.Draw(t, "b"), g.Draw(t, "c")
		ab, ba, bc := joined(&a, &b), joined(&b, &a), joined(&b, &c)
		mustEqual(t, "commutative", &ab, &ba)
		left, right := joined(&ab, &c), joined(&a, &bc)
		mustEqual(t, "associative", &left, &right)
		if again, changed := ab.Merge(&b); changed || again.Len() != 0 {
			t.Fatalf("not idempotent: %s", again.AppendStored(nil))
		}
		mustEqual(t, "idempotent", &ab, &ba)
	})
}

// What grew, applied to a copy of the old state, gives the new state; applied again it changes nothing (decision D20).
func TestDeltaLaw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := genKeys(alike)
		s, d := g.Draw(t, "state"), g.Draw(t, "delta")
		old, before, copied := s.Clone(), string(s.AppendStored(nil)), string(d.AppendStored(nil))
		grown, changed := s.Merge(&d)
		if changed != !s.Equal(&old) || changed != (grown.Len() > 0) {
			t.Fatalf("changed %v, grown %s", changed, grown.AppendStored(nil))
		}
		if string(old.AppendStored(nil)) != before || string(d.AppendStored(nil)) != copied {
			t.Fatal("the merge has changed a copy of the state, or the delta")
		}
		other := joined(&old, &grown)
		mustEqual(t, "grown", &other, &s)
		if _, more := other.Merge(&grown); more {
			t.Fatal("grown twice changes something")
		}
		mustEqual(t, "grown is a part of the delta", new(joined(&d, &grown)), &d)
		for key, part := range grown.All() {
			if !d.Get(key).covers(part) {
				t.Fatalf("%s: grown %s is not as sent %s", key, stored(*part), stored(*d.Get(key)))
			}
			checkMinimal(t, old.Get(key), part)
		}
	})
}

// checkMinimal fails when a variable of what grew was known before.
func checkMinimal(t *rapid.T, old, grown *State) {
	if old == nil {
		return
	}
	for i := range grown.vars {
		s, one := *old, State{Gen: grown.Gen, vars: grown.vars[i : i+1]}
		if _, changed := s.Merge(&one); !changed {
			t.Fatalf("grown %s, of which %s was known: %s", stored(*grown), stored(one), stored(*old))
		}
	}
}

// covers tells whether each variable of part stands in s just so.
func (s *State) covers(part *State) bool {
	for name, v := range part.All() {
		i := slices.IndexFunc(s.vars, func(o variable) bool { return o.name.Value() == name })
		if i < 0 || string(s.vars[i].value.Append(nil)) != string(v.Append(nil)) {
			return false
		}
	}
	return true
}

func TestMergeAgreesWithTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := genKeys(canonicalTexts)
		s, d := g.Draw(t, "state"), g.Draw(t, "delta")
		want := twinsOf(&s).join(twinsOf(&d))
		s.Merge(&d)
		if got := twinsOf(&s); !got.equal(want) {
			t.Fatalf("got\n%vwant\n%v", got, want)
		}
	})
}

// Merging elsewhere what Apply says that grew has the same effect as Apply, and so has the update that For makes.
func TestApplyAgreesWithMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := genKeys(alike)
		s, update, stranger := g.Draw(t, "state"), g.Draw(t, "update"), g.Draw(t, "stranger")
		older := Keys{}
		for key, v := range s.All() {
			if rapid.Bool().Draw(t, "heard of") {
				older.Put(key, State{End: v.End / 2, Gen: v.Gen, vars: v.vars[:len(v.vars)/2]})
			}
		}
		now := int64(rapid.IntRange(0, 4).Draw(t, "now"))
		fresh := uint64(rapid.SampledFrom([]int{0, 7}).Draw(t, "fresh"))
		old := s.Clone()
		grown, changed := s.Apply(&update, now, fresh)
		if changed != !s.Equal(&old) || changed != (grown.Len() > 0) {
			t.Fatalf("changed %v, grown %s", changed, grown.AppendStored(nil))
		}
		told := s.For(&update)
		for _, announced := range []*Keys{&grown, &told} {
			mustEqual(t, "equal copy", new(joined(&old, announced)), &s)
			mustEqual(t, "newer copy", new(joined(&s, announced)), &s)
			mustEqual(t, "strange copy", new(joined(new(joined(&stranger, &old)), announced)), new(joined(&stranger, &s)))
			late := joined(&older, announced)
			mustEqual(t, "older copy, not beyond", new(joined(&s, &late)), &s)
			for key, v := range announced.All() {
				if o := old.Get(key); (o == nil || o.Ended(now)) && !late.Get(key).Equal(s.Get(key)) {
					t.Fatalf("a new life of %s on an older copy: %s, not %s", key, stored(*late.Get(key)), stored(*v))
				}
			}
		}
		for key := range update.All() {
			if got := s.Get(key); got == nil || got.Gen < fresh && old.Get(key) == nil {
				t.Fatalf("%s does not exist, or not in generation %d", key, fresh)
			}
		}
	})
}

func TestStoredRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := genKeys(alike).Draw(t, "keys")
		text := k.AppendStored(nil)
		again, err := ParseKeys(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		mustEqual(t, "round trip", &k, &again)
		if s := again.AppendStored(nil); string(s) != string(text) {
			t.Fatalf("%s became %s", text, s)
		}
	})
}

// Equal digests mean equal states.
func TestDigestTellsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := genKeys(alike)
		a, b := g.Draw(t, "a"), g.Draw(t, "b")
		if (a.Digest() == b.Digest()) != a.Equal(&b) {
			t.Fatalf("equal: %v:\n%s\n%s", a.Equal(&b), a.AppendStored(nil), b.AppendStored(nil))
		}
	})
}

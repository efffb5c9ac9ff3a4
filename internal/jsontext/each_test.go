package jsontext

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEachAgreesWithElements(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(rapid.SampledFrom([]string{
			"[]", " [ ] ", "[1]", `[ "a" , [1,[2]] ,{"b":[3]} , null]`, `{"a":[1]}`, `"[1]"`, "7", "",
		}).Draw(t, "data"))
		var got []Value
		Each(data, func(v Value) bool { got = append(got, v); return true })
		if diff := cmp.Diff(Elements(nil, data), got); diff != "" {
			t.Fatalf("Each(%q) (-Elements +Each):\n%s", data, diff)
		}
		n := 0
		Each(data, func(Value) bool { n++; return n < 2 })
		if n != min(2, len(got)) {
			t.Fatalf("Each(%q) went on after false: %d calls", data, n)
		}
	})
}

func TestStrings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`: {}, `["a", "", "\u0062"]`: {"a", "", "b"}, `[1]`: nil, `["a",null]`: nil, `{}`: nil, `"a"`: nil, ``: nil,
	} {
		got, ok := Strings([]byte(text))
		if ok != (want != nil) || ok && strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("Strings(%s) = %q, %v", text, got, ok)
		}
	}
}

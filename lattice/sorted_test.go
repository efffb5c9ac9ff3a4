package lattice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
)

func genSorted(most int) *rapid.Generator[[]int] {
	return rapid.Custom(func(t *rapid.T) []int {
		list := rapid.SliceOfN(rapid.IntRange(0, 60), 0, most).Draw(t, "list")
		slices.Sort(list)
		return slices.Compact(list)
	})
}

func TestSeekAgreesWithTwin(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		list := make([]int, n) // 0, 2, 4, …
		for i := range list {
			list[i] = 2 * i
		}
		for want := -1; want <= 2*n; want++ {
			at, there := slices.BinarySearch(list, want)
			for from := range at + 1 {
				i, found := seek(n, from, func(i int) int { return cmp.Compare(list[i], want) })
				if i != at || found != there {
					t.Fatalf("%d of %d from %d: got %d, %v, want %d, %v", want, n, from, i, found, at, there)
				}
			}
		}
	}
}

func TestWeaveAgreesWithTwin(t *testing.T) {
	t.Parallel()
	type pair struct{ n, from int }
	order := func(a, b pair) int { return cmp.Compare(a.n, b.n) }
	rapid.Check(t, func(t *rapid.T) {
		a, b := genSorted(60).Draw(t, "a"), genSorted(60).Draw(t, "b")
		var dst, src, want []pair
		missing := 0
		for _, n := range a {
			dst = append(dst, pair{n, 0})
		}
		want = slices.Clone(dst)
		for _, n := range b {
			src = append(src, pair{n, 1})
			if !slices.Contains(a, n) {
				want = append(want, pair{n, 1})
				missing++
			}
		}
		slices.SortFunc(want, order)
		if got := weave(slices.Clone(dst), src, missing, order); !slices.Equal(got, want) {
			t.Fatalf("%v and %v: got %v", dst, src, got)
		}
	})
}

// Of many members of one name the last counts, however many there are.
func TestLastOfMany(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `"a_counter":%d,"b_counter":%d,`, i, 100-i)
	}
	d, err := parse(t, in("shared", `{`+b.String()+`"c_counter":0}`))
	if err != nil || d.text() != `{"q:7":{"a_counter":99,"b_counter":1,"c_counter":0}}` {
		t.Errorf("%v", err)
	}
}

func TestKeysSeekAgreesWithTwin(t *testing.T) {
	t.Parallel()
	name := func(i int) names.Key { return names.Key(fmt.Sprintf("%03d", i)) }
	for n := range 40 {
		var k Keys
		for i := range n {
			k.Put(name(2*i+1), State{})
		}
		for want := range 2*n + 2 {
			at, there := k.find(name(want))
			for from := range at + 1 {
				for _, stride := range []int{1, 2, 3, 4, 8, 13, n + 1, 3 * n} {
					if i, found := k.seek(name(want), from, max(stride, 1)); i != at || found != there {
						t.Fatalf("%d of %d from %d by %d: got %d, %v, want %d, %v", want, n, from, stride, i, found, at, there)
					}
				}
			}
		}
	}
}

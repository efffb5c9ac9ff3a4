package lattice

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/names"
)

// manyKeys has n keys with counters, and every tenth a register and a set.
func manyKeys(t testing.TB, n int) Keys {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"q:%d":{"size_counter":%d,"read_counter":1`, i, i)
		if i%10 == 0 {
			b.WriteString(`,"mood_register":[12,{"text":"ok"}],"tags_set":["a","b","c"]`)
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return keys(t, b.String())
}

// tenKeys is an update of ten of them, spread, of two variables each; more is added to the counters.
func tenKeys(t testing.TB, n, more int) Keys {
	var k Keys
	for i := range 10 {
		at := i * n / 10
		k.Put(names.Key(fmt.Sprintf("q:%d", at)), state(t, fmt.Sprintf(`{"size_counter":%d,"mood_register":[12,{"text":"ok"}]}`, at+more)))
	}
	return k
}

// A merge of ten keys into the replica of a user with a thousand, one variable of each growing; nothing growing. The
// bound is 2 microseconds each.
func BenchmarkMerge(b *testing.B) {
	const n = 1000
	b.Run("grows", func(b *testing.B) {
		k := manyKeys(b, n)
		deltas := make([]Keys, 200)
		for i := range deltas {
			deltas[i] = tenKeys(b, n, i+1)
		}
		fresh, i := k.Clone(), 0
		b.ReportAllocs()
		for b.Loop() {
			if i == len(deltas) {
				k, i = fresh.Clone(), 0 // costs each round about 50 ns
			}
			if grown, changed := k.Merge(&deltas[i]); !changed || grown.Len() != 10 {
				b.Fatal("nothing grew")
			}
			i++
		}
	})
	b.Run("stale", func(b *testing.B) {
		k, d := manyKeys(b, n), tenKeys(b, n, 0)
		b.ReportAllocs()
		for b.Loop() {
			if _, changed := k.Merge(&d); changed {
				b.Fatal("grew")
			}
		}
	})
	b.Run("one new element of a set of 1000", func(b *testing.B) {
		var text strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&text, `"%d",`, i)
		}
		old := state(b, `{"a_set":[`+text.String()+`"1000"]}`)
		d := state(b, `{"a_set":["7000"]}`)
		b.ReportAllocs()
		for b.Loop() {
			s := old
			if _, changed := s.Merge(&d); !changed {
				b.Fatal("nothing grew")
			}
		}
	})
}

func BenchmarkParseDelta(b *testing.B) {
	k := tenKeys(b, 1000, 0)
	text := append(k.AppendVars([]byte(`{"shared":`)), '}')
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDelta(text, 0, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendStored(b *testing.B) {
	k := manyKeys(b, 1000)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = k.AppendStored(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDigest(b *testing.B) {
	k := manyKeys(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		k.Digest()
	}
}

// Merging what is known already allocates nothing.
func TestStaleMergeAllocatesNothing(t *testing.T) {
	k, d := manyKeys(t, 1000), tenKeys(t, 1000, 0)
	if n := testing.AllocsPerRun(100, func() { k.Merge(&d) }); n != 0 {
		t.Errorf("Merge: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { k.Apply(&d, 100, 0) }); n != 0 {
		t.Errorf("Apply: %v allocations", n)
	}
	dst := k.AppendStored(nil)
	if n := testing.AllocsPerRun(100, func() { dst = k.AppendStored(dst[:0]) }); n != 0 {
		t.Errorf("AppendStored: %v allocations", n)
	}
}

// One that grows allocates the new variables of each key, and one list of keys.
func TestGrowingMergeAllocatesLittle(t *testing.T) {
	old := manyKeys(t, 1000)
	d := tenKeys(t, 1000, 1)
	runs := make([]Keys, 102)
	for i := range runs {
		runs[i] = old.Clone()
	}
	i := 0
	if n := testing.AllocsPerRun(100, func() { runs[i].Merge(&d); i++ }); n > 11 {
		t.Errorf("%v allocations for ten keys", n)
	}
}

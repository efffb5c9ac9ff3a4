package lattice

import (
	"errors"
	"fmt"
	"testing"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

func keys(t testing.TB, text string) Keys {
	t.Helper()
	k, err := ParseKeys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, delta, after, grown string }{
		{"a new key without variables is growth", `{}`, `{"q:9":{}}`, `{"q:9":{}}`, `{"q:9":{}}`},
		{"it is growth once", `{"q:9":{}}`, `{"q:9":{}}`, `{"q:9":{}}`, ``},
		{"stale keys drop out", `{"a":{"x_counter":2},"b":{"x_counter":2}}`, `{"a":{"x_counter":1},"b":{"x_counter":3}}`, `{"a":{"x_counter":2},"b":{"x_counter":3}}`, `{"b":{"x_counter":3}}`},
		{"between, before and behind", `{"c":{},"e":{}}`, `{"a":{},"b":{},"c":{},"d":{},"f":{}}`, `{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{}}`, `{"a":{},"b":{},"d":{},"f":{}}`},
		{"an old life is over", `{"a":{".gen":5}}`, `{"a":{"x_counter":1}}`, `{"a":{".gen":5}}`, ``},
		{"nothing", `{"a":{}}`, `{}`, `{"a":{}}`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, d := keys(t, tt.old), keys(t, tt.delta)
			old := k.Clone()
			grown, changed := k.Merge(&d)
			if got := string(k.AppendStored(nil)); got != tt.after {
				t.Errorf("after: got %s, want %s", got, tt.after)
			}
			if changed != (tt.grown != "") || changed && string(grown.AppendStored(nil)) != tt.grown {
				t.Errorf("changed %v, grown %s, want %q", changed, grown.AppendStored(nil), tt.grown)
			}
			if got := string(old.AppendStored(nil)); got != tt.old {
				t.Errorf("the clone has changed: %s", got)
			}
		})
	}
}

func TestKeysApply(t *testing.T) {
	t.Parallel()
	k := keys(t, `{"alive":{".end":200,"x_counter":5},"ended":{".end":90,"x_counter":5}}`)
	d := keys(t, `{"alive":{"x_counter":4},"ended":{"x_counter":4},"new":{"x_counter":4}}`)
	grown, _ := k.Apply(&d, 100, 100)
	const want = `{"ended":{".gen":90,"x_counter":4},"new":{".gen":100,"x_counter":4}}`
	if got := string(grown.AppendStored(nil)); got != want {
		t.Errorf("grown: got %s, want %s", got, want)
	}
	told := k.For(&d)
	const all = `{"alive":{".end":200,"x_counter":4},"ended":{".gen":90,"x_counter":4},"new":{".gen":100,"x_counter":4}}`
	if got := string(told.AppendStored(nil)); got != all {
		t.Errorf("for: got %s, want %s", got, all)
	}
	if k.Get("new").Gen != 100 {
		t.Errorf("new: %s", stored(*k.Get("new")))
	}
	grown, changed := k.Apply(&d, 100, 300)
	if changed {
		t.Errorf("again: %s", grown.AppendStored(nil))
	}
}

func TestKeysReadAndBuild(t *testing.T) {
	t.Parallel()
	var none *Keys
	if none.Len() != 0 || none.Get("a") != nil {
		t.Error("nil keys are not empty")
	}
	for key := range none.All() {
		t.Errorf("nil keys hold %s", key)
	}
	var k Keys
	if _, changed := k.Merge(none); changed {
		t.Error("merging nil changes something")
	}
	k.Put("b", state(t, `{"x_counter":1}`))
	k.Put("a", State{})
	k.Put("c", State{Gen: 3})
	k.Put("b", state(t, `{"x_counter":2}`))
	if got := string(k.AppendStored(nil)); got != `{"a":{},"b":{"x_counter":2},"c":{".gen":3}}` {
		t.Errorf("put: %s", got)
	}
	k.Delete("a")
	k.Delete("nothing")
	if k.Get("a") != nil || k.Len() != 2 || k.Get("c").Gen != 3 {
		t.Errorf("after delete: %s", k.AppendStored(nil))
	}
	for key, s := range k.All() {
		if key == "b" && s.Gen == 0 {
			break // All must stop
		}
		t.Errorf("%s comes before b, or after the end", key)
	}
}

func TestKeysEnd(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`{}`:                                     0,
		`{"a":{".end":5}}`:                       5,
		`{"a":{".end":5},"b":{".end":9}}`:        9,
		`{"a":{".end":5},"b":{}}`:                0,
		`{"a":{".end":7},"b":{".end":3}}`:        7,
		`{"a":{},"b":{".end":3},"c":{".end":3}}`: 0,
	} {
		k := keys(t, text)
		if got := k.End(); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestDropEnded(t *testing.T) {
	t.Parallel()
	k := keys(t, `{"a":{".end":5},"b":{},"c":{".end":6},"d":{".end":5}}`)
	old := k.Clone()
	kept := EndedKept.Milliseconds()
	if k.DropEnded(4+kept) || k.Len() != 4 {
		t.Errorf("too early: %s", k.AppendStored(nil))
	}
	if !k.DropEnded(5 + kept) {
		t.Error("nothing dropped")
	}
	if got := string(k.AppendStored(nil)); got != `{"b":{},"c":{".end":6}}` {
		t.Errorf("left: %s", got)
	}
	if k.DropEnded(5 + kept) {
		t.Error("dropped again")
	}
	if old.Len() != 4 || old.Get("d").End != 5 {
		t.Errorf("the clone has changed: %s", old.AppendStored(nil))
	}
}

// Limits hold for what a merge gives, not only for what was sent.
func TestCheck(t *testing.T) {
	t.Parallel()
	lim := Limits{MaxKeysPerNamespace: 1, MaxKeysPerUser: 2, MaxValueSize: 13, MaxSetSize: 3}
	for _, tt := range []struct {
		old, delta string
		ok         bool
	}{
		{`{"a":{},"b":{}}`, `{"a":{"x_counter":12345678901234567890}}`, true},
		{`{"a":{},"b":{}}`, `{"c":{}}`, false},
		{`{"a":{"x_set":["p","q"]}}`, `{"a":{"x_set":["q","r"]}}`, true}, // ["p","q","r"] has 13 bytes
		{`{"a":{"x_set":["p","q"]}}`, `{"a":{"x_set":["q","rr"]}}`, false},
		{`{"a":{"x_set":["p","q"]}}`, `{"a":{"x_set":["\n"]}}`, false},
		{`{"a":{"x_set":["","1"]}}`, `{"a":{"x_set":["2","3"]}}`, false},
		{`{"a":{"x_register":[1,2]}}`, `{"a":{"x_register":[2,"12345678901"]}}`, true},
		{`{"a":{"x_register":[1,2]}}`, `{"a":{"x_register":[2,"123456789012"]}}`, false},
	} {
		k, d := keys(t, tt.old), keys(t, tt.delta)
		k.Merge(&d)
		err := k.Check(lim)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, port.ErrLimit) {
			t.Errorf("%s and %s: %v", tt.old, tt.delta, err)
		}
	}
}

// Thousands of keys in every order give the same.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	var up, down, halves Keys
	const n = 3000
	key := func(i int) names.Key { return names.Key(fmt.Sprintf("q:%d", i)) }
	for i := range n {
		var one, other Keys
		one.Put(key(i), State{Gen: uint64(i)})
		other.Put(key(n-1-i), State{Gen: uint64(n - 1 - i)})
		up.Merge(&one)
		down.Merge(&other)
		if i%2 == 0 {
			halves.Merge(&one)
		}
	}
	grown, _ := halves.Merge(&up)
	if !up.Equal(&down) || !up.Equal(&halves) || up.Len() != n || grown.Len() != n/2 {
		t.Errorf("%d, %d, %d keys, %d grown", up.Len(), down.Len(), halves.Len(), grown.Len())
	}
	if up.Digest() != down.Digest() || up.Digest() != halves.Digest() {
		t.Error("digests differ")
	}
}

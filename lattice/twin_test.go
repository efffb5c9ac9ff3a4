package lattice

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// twin is one key as a child would write it: maps, and the rules of protocol §8.3 and D20, D21 word by word. Its
// registers hold texts that are canonical already.
type twin struct {
	gen  uint64
	end  int64
	vars map[string]any // uint64, map[string]bool or twinRegister
}

type twinRegister struct {
	version float64
	text    string
}

// twinOf takes a state apart.
func twinOf(s *State) twin {
	t := twin{gen: s.Gen, end: s.End, vars: map[string]any{}}
	for name, v := range s.All() {
		switch v.Kind() {
		case Counter:
			t.vars[name] = v.num
		case Set:
			set := map[string]bool{}
			for _, e := range v.ref.set {
				set[e] = true
			}
			t.vars[name] = set
		case Register:
			t.vars[name] = twinRegister{v.version(), v.ref.text}
		}
	}
	return t
}

// join returns the join of both and leaves them as they are.
func (t twin) join(o twin) twin {
	if t.gen > o.gen {
		return t
	}
	if o.gen > t.gen {
		return o
	}
	j := twin{gen: t.gen, end: max(t.end, o.end), vars: maps.Clone(t.vars)}
	for name, v := range o.vars {
		old, ok := j.vars[name]
		if !ok {
			j.vars[name] = v
			continue
		}
		j.vars[name] = joinTwin(old, v)
	}
	return j
}

func joinTwin(a, b any) any {
	switch a := a.(type) {
	case uint64:
		return max(a, b.(uint64))
	case map[string]bool:
		union := maps.Clone(a)
		maps.Copy(union, b.(map[string]bool))
		return union
	}
	x, y := a.(twinRegister), b.(twinRegister)
	if x.version > y.version || x.version == y.version && x.text >= y.text {
		return x
	}
	return y
}

func (t twin) equal(o twin) bool {
	return t.gen == o.gen && t.end == o.end && maps.EqualFunc(t.vars, o.vars, func(a, b any) bool {
		x, ok := a.(map[string]bool)
		if !ok {
			return a == b
		}
		return maps.Equal(x, b.(map[string]bool))
	})
}

// twins are keys with their twins.
type twins map[names.Key]twin

func twinsOf(k *Keys) twins {
	t := twins{}
	for key, s := range k.All() {
		t[key] = twinOf(s)
	}
	return t
}

func (t twins) join(o twins) twins {
	j := maps.Clone(t)
	for key, s := range o {
		if old, ok := j[key]; ok {
			s = old.join(s)
		}
		j[key] = s
	}
	return j
}

func (t twins) equal(o twins) bool { return maps.EqualFunc(t, o, twin.equal) }

// String is for messages of failed tests.
func (t twins) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(t)) {
		s := t[key]
		fmt.Fprintf(&b, "%s: gen %d end %d", key, s.gen, s.end)
		for _, name := range slices.Sorted(maps.Keys(s.vars)) {
			fmt.Fprintf(&b, " %s=%v", name, s.vars[name])
		}
		b.WriteString("\n")
	}
	return b.String()
}

package lattice

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unique"
)

// EndedKept is how long an ended key is remembered: within it, a node that has not heard of the end yet, or whose clock
// is behind, cannot bring the old life back.
const EndedKept = 10 * time.Minute

// State is what is known of one key. The zero State is that of a key of which nothing is known. A copy of the struct is
// a snapshot: what Merge and Apply do to the one never shows in the other. One State is not safe for use by several
// goroutines when one of them changes it; copies are.
type State struct {
	// End is when the key ends, in Unix milliseconds; 0 for never. It merges as the maximum.
	End int64
	// Gen is the generation: a higher one replaces the whole state.
	Gen uint64
	// vars is sorted by name. It is replaced and never changed, so that copies of the state share it.
	vars []variable
}

// variable is a name, as it stands in JSON, and its value.
type variable struct {
	name  unique.Handle[string]
	value Value
}

func byName(a, b variable) int {
	if a.name == b.name {
		return 0
	}
	return strings.Compare(a.name.Value(), b.name.Value())
}

// Ended tells whether the key has ended at now (Unix milliseconds) and is hidden.
func (s *State) Ended(now int64) bool { return s.End != 0 && now >= s.End }

// Droppable tells whether the key ended so long ago that it may be forgotten altogether, see EndedKept.
func (s *State) Droppable(now int64) bool {
	return s.End != 0 && now-s.End >= EndedKept.Milliseconds()
}

// All goes through the variables in the order of their names.
func (s *State) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range s.vars {
			if !yield(s.vars[i].name.Value(), s.vars[i].value) {
				return
			}
		}
	}
}

// Empty tells whether there are no variables.
func (s *State) Empty() bool { return len(s.vars) == 0 }

// Equal tells whether two states are the same. Registers are the same when their canonical texts are.
func (s *State) Equal(o *State) bool {
	return s.End == o.End && s.Gen == o.Gen &&
		slices.EqualFunc(s.vars, o.vars, func(a, b variable) bool { return a.name == b.name && a.value.equal(b.value) })
}

// Merge joins d into s: d is a whole state, or what Merge or Apply on another copy said that grew. It returns what of
// d was new, sets as they stand in d, for others to merge. Nothing is allocated when nothing grew.
func (s *State) Merge(d *State) (grown State, changed bool) {
	changed = s.merge(d, &grown)
	return grown, changed
}

// merge is Merge with a place for what was new, which it leaves alone when nothing was: states are big to hand around.
func (s *State) merge(d, grown *State) bool {
	if d.Gen < s.Gen {
		return false
	}
	if d.Gen > s.Gen {
		*s, *grown = *d, *d
		return true
	}
	return s.join(d, grown)
}

// Apply merges an update of a backend, whose generation counts for nothing: it is meant for the life that s is in. If
// that has ended at now (Unix milliseconds), a new one begins, even when the update has no variables. Merging what is
// returned elsewhere has the same effect.
func (s *State) Apply(d *State, now int64) (grown State, changed bool) {
	changed = s.apply(d, now, &grown)
	return grown, changed
}

// apply is Apply as merge is Merge.
func (s *State) apply(d *State, now int64, grown *State) bool {
	if !s.Ended(now) {
		return s.join(d, grown)
	}
	*s = State{End: d.End, Gen: max(uint64(s.End), s.Gen+1), vars: d.vars}
	*grown = *s
	return true
}

// For returns the update d as others have to merge it when Apply has merged it into s, whether something of it grew or
// not: with the generation and the end of s.
func (s *State) For(d *State) State { return State{End: s.End, Gen: s.Gen, vars: d.vars} }

// Without returns s without the variables that have the name of one in hide, which may be nil: so the private
// variables that shared ones cover.
func (s *State) Without(hide *State) State {
	if hide == nil || hide.Empty() {
		return *s
	}
	rest := *s
	rest.vars = slices.DeleteFunc(slices.Clone(s.vars), func(v variable) bool {
		_, found := seekVar(hide.vars, 0, v.name)
		return found
	})
	return rest
}

// join merges the end and the variables of d into the current generation.
func (s *State) join(d, grown *State) bool {
	vars := s.joinVars(d.vars)
	if d.End <= s.End && len(vars) == 0 {
		return false
	}
	*grown = State{Gen: s.Gen, vars: vars}
	if d.End > s.End {
		s.End, grown.End = d.End, d.End
	}
	return true
}

// joinVars returns those variables of d that were new, nil if none was. They share d's memory where they stand in a row
// there, as they mostly do.
func (s *State) joinVars(d []variable) (grown []variable) {
	if len(s.vars) == 0 {
		s.vars = d
		return d
	}
	at, start, missing, own := 0, 0, 0, false
	for k := range d {
		i, found := seekVar(s.vars, at, d[k].name)
		at = i
		if found {
			joined, more := s.vars[i].value.join(d[k].value)
			if !more {
				continue
			}
			if !own {
				vars := make([]variable, len(s.vars))
				copy(vars, s.vars)
				s.vars, own = vars, true
			}
			s.vars[i].value = joined
		} else {
			missing++
		}
		switch {
		case grown == nil:
			start, grown = k, d[k:k+1:k+1]
		case start+len(grown) == k:
			grown = d[start : k+1 : k+1]
		default:
			grown = append(grown, d[k])
		}
	}
	if missing > 0 {
		s.vars = weave(exactly(s.vars, missing), d, missing, byName)
	}
	return grown
}

// fewVars are gone through one after the other.
const fewVars = 8

// seekVar looks for a name in a sorted list, from index at on, as seek does. Names are compared by their handles first: few
// states have more than a handful of variables.
func seekVar(list []variable, at int, name unique.Handle[string]) (int, bool) {
	for i := at; i < min(at+fewVars, len(list)); i++ {
		if list[i].name == name {
			return i, true
		}
	}
	text := name.Value()
	return seek(len(list), at, func(i int) int {
		if list[i].name == name {
			return 0
		}
		return strings.Compare(list[i].name.Value(), text)
	})
}

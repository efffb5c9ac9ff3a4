package lattice

import "strings"

// unite returns the union of two sets, and whether it has more elements than v.
func (v Value) unite(other Value) (Value, bool) {
	if v.ref == other.ref {
		return v, false
	}
	have, at, missing, size := v.ref.set, 0, 0, v.ref.size
	for _, e := range other.ref.set {
		i, found := seek(len(have), at, func(i int) int { return strings.Compare(have[i], e) })
		if !found {
			missing++
			size += len(",") + quotedLen(e)
		}
		at = i
	}
	if missing == 0 {
		return v, false
	}
	if len(have) == 0 {
		return other, true
	}
	union := weave(exactly(have, missing), other.ref.set, missing, strings.Compare)
	return Value{ref: &payload{kind: Set, size: size, set: union}}, true
}

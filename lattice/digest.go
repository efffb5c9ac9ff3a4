package lattice

// Two copies with equal digests are equal but for a chance of one in 2^64: nodes of a mesh compare them instead of the
// copies. FNV-1a over the canonical form, so that it is the same on all nodes and versions; not for data that somebody
// wants to collide.

type hash uint64

const (
	fnvOffset hash = 14695981039346656037
	fnvPrime  hash = 1099511628211
)

func (h hash) text(s string) hash {
	h = h.number(uint64(len(s)))
	for i := range len(s) {
		h = (h ^ hash(s[i])) * fnvPrime
	}
	return h
}

func (h hash) number(n uint64) hash {
	for range 8 {
		h = (h ^ hash(n&0xff)) * fnvPrime
		n >>= 8
	}
	return h
}

// mixed spreads the hash over all bits, so that sums of hashes do not cancel out.
func (h hash) mixed() uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return uint64(h ^ h>>33)
}

// Digest returns the same number for equal states, on all nodes.
func (s *State) Digest() uint64 {
	h := fnvOffset.number(uint64(s.End)).number(s.Gen)
	for i := range s.vars {
		v := &s.vars[i]
		h = v.value.hash(h.text(v.name.Value()))
	}
	return h.mixed()
}

func (v Value) hash(h hash) hash {
	h = h.number(v.num)
	switch v.Kind() {
	case Set:
		h = h.number(uint64(len(v.ref.set)))
		for _, e := range v.ref.set {
			h = h.text(e)
		}
	case Register:
		var buf [512]byte
		h = h.text(string(appendCanonical(buf[:0], []byte(v.ref.text))))
	default:
	}
	return h
}

// Digest returns the same number for equal keys, on all nodes. It is a sum over the keys: 0 when there are none.
func (k *Keys) Digest() uint64 {
	var sum uint64
	for i := range k.list {
		e := &k.list[i]
		sum += fnvOffset.text(string(e.key)).number(e.state.Digest()).mixed()
	}
	return sum
}

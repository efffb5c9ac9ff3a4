package lattice

import (
	"math"

	"github.com/swindon-go/swindon/internal/jsontext"
)

// Kind is how a variable's values join. It follows from the end of the variable's name.
type Kind uint8

// The kinds of variables (protocol §8.1).
const (
	// Counter holds a number; the greater wins.
	Counter Kind = iota
	// Set holds strings; sets unite.
	Set
	// Register holds any JSON value with a version; the higher version wins.
	Register
)

var suffixes = [...]string{Counter: "_counter", Set: "_set", Register: "_register"}

// String returns the kind as it stands in names: "counter", "set", "register".
func (k Kind) String() string {
	if int(k) >= len(suffixes) {
		return "invalid"
	}
	return suffixes[k][1:]
}

// Value is the value of one variable. It is immutable, so that states share it freely. The zero Value is the counter 0.
type Value struct {
	// num is the counter's number, or the bits of the register's version, which is never a negative zero.
	num uint64
	// ref is nil for counters, which are most of all values.
	ref *payload
}

// payload is what sets and registers have beyond a number. It is never changed.
type payload struct {
	kind Kind
	// size is the length of the JSON form: of the set, or of the register's value without its version.
	size int
	// text is a register's value as it was sent.
	text string
	// set is sorted, without duplicates.
	set []string
}

func newCounter(n uint64) Value { return Value{num: n} }

func newRegister(version float64, text string) Value {
	if version == 0 {
		version = 0 // no negative zero: the same version has the same text on all nodes
	}
	return Value{num: math.Float64bits(version), ref: &payload{kind: Register, size: len(text), text: text}}
}

// newSet takes over elements, which are sorted and without duplicates.
func newSet(elements []string) Value {
	size := len("[]") + max(0, len(elements)-1)
	for _, e := range elements {
		size += quotedLen(e)
	}
	return Value{ref: &payload{kind: Set, size: size, set: elements}}
}

// quotedLen is the length of what jsontext.AppendQuoted appends for valid UTF-8.
func quotedLen(s string) int {
	n := len(s) + len(`""`)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < ' ':
			n += len(`u0000`)
		}
	}
	return n
}

// Kind tells what the value is.
func (v Value) Kind() Kind {
	if v.ref == nil {
		return Counter
	}
	return v.ref.kind
}

// Items is the number of elements of a set, 0 for other kinds.
func (v Value) Items() int {
	if v.ref == nil {
		return 0
	}
	return len(v.ref.set)
}

// version is that of a register.
func (v Value) version() float64 { return math.Float64frombits(v.num) }

// Append appends the JSON form that clients see: an integer, an array of strings, or [version, value].
func (v Value) Append(dst []byte) []byte {
	switch v.Kind() {
	case Set:
		dst = append(dst, '[')
		for i, e := range v.ref.set {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = jsontext.AppendQuoted(dst, e)
		}
		return append(dst, ']')
	case Register:
		dst = appendVersion(append(dst, '['), v.version())
		dst = append(append(dst, ','), v.ref.text...)
		return append(dst, ']')
	default:
		return appendUint(dst, v.num)
	}
}

// length is that of what Append appends.
func (v Value) length() int {
	var buf [32]byte
	switch v.Kind() {
	case Set:
		return v.ref.size
	case Register:
		return len("[,]") + len(appendVersion(buf[:0], v.version())) + v.ref.size
	default:
		return len(appendUint(buf[:0], v.num))
	}
}

// join returns the join of two values of one kind, and whether it is more than v. It allocates only for a set that
// grew.
func (v Value) join(other Value) (Value, bool) {
	switch v.Kind() {
	case Set:
		return v.unite(other)
	case Register:
		return other, v.olderThan(other)
	default:
		return other, other.num > v.num
	}
}

// olderThan tells whether a register gives way to the other: to a higher version, and at the same version to the
// greater canonical text, so that all nodes end with the same value whatever came first (decision D20).
func (v Value) olderThan(other Value) bool {
	if v.num != other.num {
		return v.version() < other.version()
	}
	if v.ref == other.ref || v.ref.text == other.ref.text {
		return false
	}
	return lessCanonical(v.ref.text, other.ref.text)
}

// equal tells whether two values are the same, registers by their canonical text.
func (v Value) equal(other Value) bool {
	if v.num != other.num || v.Kind() != other.Kind() {
		return false
	}
	switch v.Kind() {
	case Set:
		_, more := v.unite(other)
		return !more && len(v.ref.set) == len(other.ref.set)
	case Register:
		return !v.olderThan(other) && !other.olderThan(v)
	default:
		return true
	}
}

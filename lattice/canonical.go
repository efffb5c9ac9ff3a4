package lattice

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"github.com/swindon-go/swindon/internal/jsontext"
)

// The canonical text of a JSON value decides between two registers of the same version (decision D20), and is what
// digests are made of. It has no white space; the members of objects are sorted by the bytes of their names, the last
// of equal ones alone; strings escape only what they must; integers that fit 64 bits stand as they are, and every
// other number is the shortest text that reads back as the same double, so that 5, 5.0 and 50e-1 are the same.

// lessCanonical tells whether the canonical text of a comes before that of b.
func lessCanonical(a, b string) bool {
	var buf [512]byte
	x := appendCanonical(buf[:0], []byte(a))
	return bytes.Compare(x, appendCanonical(nil, []byte(b))) < 0
}

// appendCanonical appends the canonical text of a checked value. Its recursion ends at jsontext.MaxDepth.
func appendCanonical(dst []byte, v jsontext.Value) []byte {
	switch v.Kind() {
	case jsontext.Number:
		return appendNumber(dst, v)
	case jsontext.String:
		if bytes.IndexByte(v, '\\') < 0 {
			return append(dst, v...)
		}
		s, _ := jsontext.Unquote(v)
		return jsontext.AppendQuoted(dst, s)
	case jsontext.Array:
		dst = append(dst, '[')
		n := len(dst)
		jsontext.Each(v, func(e jsontext.Value) bool {
			if len(dst) > n {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, e)
			return true
		})
		return append(dst, ']')
	case jsontext.Object:
		return appendObject(dst, v)
	default:
		return append(dst, v...)
	}
}

type member struct {
	name  []byte
	value jsontext.Value
}

func appendObject(dst []byte, v jsontext.Value) []byte {
	var list []member
	jsontext.Members(v, func(key []byte, value jsontext.Value) bool {
		name := key
		if bytes.IndexByte(key, '\\') >= 0 {
			name, _ = jsontext.Unescape(nil, key)
		}
		list = append(list, member{name, value})
		return true
	})
	list = lastOf(list, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendQuoted(dst, m.name), ':')
		dst = appendCanonical(dst, m.value)
	}
	return append(dst, '}')
}

func appendNumber(dst []byte, raw []byte) []byte {
	if _, ok := jsontext.Uint64(raw); ok {
		return append(dst, raw...)
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return strconv.AppendInt(dst, n, 10)
	}
	f, _ := strconv.ParseFloat(string(raw), 64)
	return appendDouble(dst, f)
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// appendVersion appends a register's version: the shortest text that reads back as the same double, always with a
// fraction or an exponent (protocol §8.1): 7.0, 1503328586.5, 1e21.
func appendVersion(dst []byte, f float64) []byte {
	n := len(dst)
	dst = appendDouble(dst, f)
	if bytes.ContainsAny(dst[n:], ".e") {
		return dst
	}
	return append(dst, '.', '0')
}

// appendDouble writes a double as JavaScript does: with an exponent below 1e-6 and from 1e21 on, without plus sign and
// leading zeros in it. Integers have no fraction; there is no negative zero.
func appendDouble(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs == 0 {
		return append(dst, '0')
	}
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64) // d.ddde±dd
	e := n + bytes.IndexByte(dst[n:], 'e') + 1
	to := e
	if dst[e] == '-' {
		to++
	}
	from := e + 1
	for dst[from] == '0' {
		from++
	}
	return slices.Delete(dst, to, from)
}

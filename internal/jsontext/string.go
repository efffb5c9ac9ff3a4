package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	ones   = 0x0101010101010101
	high   = 0x80 * ones
	quotes = '"' * ones
	slants = '\\' * ones
	spaces = 0x20 * ones
)

// special returns the index of the first byte from i on that is a quote, a backslash, a control character or not
// ASCII; the length if there is none. It looks at eight bytes at a time: the lowest flagged byte of a word is exact,
// those above it need not be, because a subtraction may borrow.
func special(data []byte, i int) int {
	for i+8 <= len(data) {
		x := binary.LittleEndian.Uint64(data[i:])
		if m := (((x ^ quotes) - ones) | ((x ^ slants) - ones) | (x - spaces) | x) & high; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(data) {
		if c := data[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// checkString reads the rest of a string whose opening quote stands before i, and returns the index behind the closing
// one. Bytes that are no UTF-8 are complained about at the end of the string, after everything else in it.
func checkString(data []byte, i int) (int, failure) {
	valid := true
	for {
		i = special(data, i)
		if i >= len(data) {
			return i, fail(msgEOFString, data, i)
		}
		switch c := data[i]; {
		case c == '"':
			if !valid {
				return i, fail(msgCodePoint, data, i)
			}
			return i + 1, failure{}
		case c == '\\':
			var f failure
			if i, f = checkEscape(data, i+1); f.msg != "" {
				return i, f
			}
		case c < ' ':
			return i, fail(msgControl, data, i)
		default:
			for i < len(data) && data[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(data[i:])
				if r == utf8.RuneError && n == 1 {
					valid = false
				}
				i += n
			}
		}
	}
}

// checkEscape reads an escape whose backslash stands before i.
func checkEscape(data []byte, i int) (int, failure) {
	if i >= len(data) {
		return i, fail(msgEOFString, data, i)
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, failure{}
	case 'u':
	default:
		return i, fail(msgEscape, data, i)
	}
	u, f := checkHex(data, i+1)
	if f.msg != "" {
		return i, f
	}
	i += 5
	switch {
	case 0xDC00 <= u && u <= 0xDFFF:
		return i, failure{msgSurrogate, i}
	case u < 0xD800 || u > 0xDFFF:
		return i, failure{}
	}
	for k, c := range [2]byte{'\\', 'u'} {
		if i+k >= len(data) {
			return i, fail(msgEOFString, data, i+k)
		}
		if data[i+k] != c {
			return i, fail(msgHexEnd, data, i+k)
		}
	}
	u, f = checkHex(data, i+2)
	if f.msg != "" {
		return i, f
	}
	i += 6
	if u < 0xDC00 || u > 0xDFFF {
		return i, failure{msgSurrogate, i}
	}
	return i, failure{}
}

// checkHex reads the four digits of an escape.
func checkHex(data []byte, i int) (rune, failure) {
	if i+4 > len(data) {
		return 0, fail(msgEOFString, data, len(data))
	}
	var u rune
	for k := range 4 {
		d, ok := hexDigit(data[i+k])
		if !ok {
			return 0, fail(msgEscape, data, i+k)
		}
		u = u<<4 | d
	}
	return u, failure{}
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0'), true
	case 'a' <= c && c <= 'f':
		return rune(c - 'a' + 10), true
	case 'A' <= c && c <= 'F':
		return rune(c - 'A' + 10), true
	}
	return 0, false
}

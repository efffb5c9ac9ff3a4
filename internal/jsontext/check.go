package jsontext

import (
	"bytes"
	"fmt"
)

// MaxDepth is how deep arrays and objects may nest: a text with 128 levels passes, 129 do not (decision D7).
const MaxDepth = 128

// The complaints of Check. Their texts reach clients as the data of data_error frames: they are protocol.
const (
	msgEOFValue      = "EOF while parsing a value"
	msgEOFList       = "EOF while parsing a list"
	msgEOFObject     = "EOF while parsing an object"
	msgEOFString     = "EOF while parsing a string"
	msgIdent         = "expected ident"
	msgValue         = "expected value"
	msgColon         = "expected `:`"
	msgCommaOrList   = "expected `,` or `]`"
	msgCommaOrObject = "expected `,` or `}`"
	msgKey           = "key must be a string"
	msgTrailingComma = "trailing comma"
	msgTrailing      = "trailing characters"
	msgNumber        = "invalid number"
	msgRange         = "number out of range"
	msgEscape        = "invalid escape"
	msgCodePoint     = "invalid unicode code point"
	msgSurrogate     = "lone leading surrogate in hex escape"
	msgHexEnd        = "unexpected end of hex escape"
	msgDepth         = "recursion limit exceeded"
	msgControl       = "control character (\\u0000-\\u001F) found while parsing a string"
)

// SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	// Msg is one of the protocol's parser texts.
	Msg string
	// Line counts from 1.
	Line int
	// Col is the number of bytes of the line that were consumed, the offending one included; 0 when the line has none.
	Col int
}

// Error returns the text as clients see it: "expected ident at line 1 column 3".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Msg, e.Line, e.Col)
}

// failure is a complaint before its position is worked out: n is the number of bytes consumed.
type failure struct {
	msg string
	n   int
}

// fail complains about the byte at i, or about the end when i is the length.
func fail(msg string, data []byte, i int) failure {
	return failure{msg, min(i+1, len(data))}
}

// Check tells whether data is exactly one JSON text. The error is nil or a *SyntaxError. It allocates only for the
// error. Its stack use does not depend on the text.
func Check(data []byte) error {
	f := check(data)
	if f.msg == "" {
		return nil
	}
	done := data[:f.n]
	return &SyntaxError{
		Msg:  f.msg,
		Line: 1 + bytes.Count(done, []byte{'\n'}),
		Col:  len(done) - 1 - bytes.LastIndexByte(done, '\n'),
	}
}

// nesting remembers for each open container whether it is an object, one bit per level.
type nesting struct {
	bits  [MaxDepth / 64]uint64
	depth int
}

func (s *nesting) push(object bool) bool {
	if s.depth == MaxDepth {
		return false
	}
	word, bit := &s.bits[s.depth>>6&1], uint64(1)<<(s.depth&63)
	*word &^= bit
	if object {
		*word |= bit
	}
	s.depth++
	return true
}

// object tells the kind of the innermost open container.
func (s *nesting) object() bool {
	d := s.depth - 1
	return s.bits[d>>6&1]>>(d&63)&1 != 0
}

// check is a loop over values rather than a recursion, so that hostile nesting costs two words and not a stack.
func check(data []byte) failure {
	var (
		open nesting
		f    failure
	)
	i := skipSpace(data, 0)
value:
	if i >= len(data) {
		return fail(msgEOFValue, data, i)
	}
	switch c := data[i]; {
	case c == '"':
		i, f = checkString(data, i+1)
	case c == '{' || c == '[':
		if !open.push(c == '{') {
			return fail(msgDepth, data, i)
		}
		i = skipSpace(data, i+1)
		switch {
		case i < len(data) && data[i] == c+2: // '}' or ']'
			open.depth--
			i++
			goto after
		case c == '[' && i >= len(data):
			return fail(msgEOFList, data, i)
		case c == '{':
			if i, f = checkKey(data, i, msgEOFObject); f.msg != "" {
				return f
			}
		}
		goto value
	case c == '-' || '0' <= c && c <= '9':
		i, f = checkNumber(data, i)
	default:
		i, f = checkIdent(data, i)
	}
	if f.msg != "" {
		return f
	}
after:
	i = skipSpace(data, i)
	switch {
	case open.depth == 0:
		if i < len(data) {
			return fail(msgTrailing, data, i)
		}
		return failure{}
	case open.object():
		if i, f = nextKey(data, i); f.msg != "" {
			return f
		}
	default:
		if i, f = nextElement(data, i); f.msg != "" {
			return f
		}
	}
	if data[i-1] == '}' || data[i-1] == ']' {
		open.depth--
		goto after
	}
	i = skipSpace(data, i)
	goto value
}

// nextElement reads what follows an element of an array: the comma, or the closing bracket, and returns the index
// behind it.
func nextElement(data []byte, i int) (int, failure) {
	if i >= len(data) {
		return i, fail(msgEOFList, data, i)
	}
	switch data[i] {
	case ']':
		return i + 1, failure{}
	case ',':
		if j := skipSpace(data, i+1); j < len(data) && data[j] == ']' {
			return j, fail(msgTrailingComma, data, j)
		}
		return i + 1, failure{}
	}
	return i, fail(msgCommaOrList, data, i)
}

// nextKey reads what follows a member of an object: a comma and the next key with its colon, or the closing brace,
// and returns the index behind it.
func nextKey(data []byte, i int) (int, failure) {
	if i >= len(data) {
		return i, fail(msgEOFObject, data, i)
	}
	switch data[i] {
	case '}':
		return i + 1, failure{}
	case ',':
		return checkKey(data, skipSpace(data, i+1), msgEOFValue)
	}
	return i, fail(msgCommaOrObject, data, i)
}

// checkKey reads a key at i with its colon and the white space after it. eof is the complaint when nothing follows.
// The byte before the index that it returns is never a closing bracket.
func checkKey(data []byte, i int, eof string) (int, failure) {
	if i >= len(data) {
		return i, fail(eof, data, i)
	}
	switch data[i] {
	case '"':
	case '}':
		return i, fail(msgTrailingComma, data, i)
	default:
		return i, fail(msgKey, data, i)
	}
	i, f := checkString(data, i+1)
	if f.msg != "" {
		return i, f
	}
	i = skipSpace(data, i)
	if i >= len(data) {
		return i, fail(msgEOFObject, data, i)
	}
	if data[i] != ':' {
		return i, fail(msgColon, data, i)
	}
	return skipSpace(data, i+1), failure{}
}

// checkIdent reads null, true or false.
func checkIdent(data []byte, i int) (int, failure) {
	var want string
	switch data[i] {
	case 'n':
		want = "null"
	case 't':
		want = "true"
	case 'f':
		want = "false"
	default:
		return i, fail(msgValue, data, i)
	}
	for k := 1; k < len(want); k++ {
		if i+k >= len(data) {
			return i, fail(msgEOFValue, data, len(data))
		}
		if data[i+k] != want[k] {
			return i, fail(msgIdent, data, i+k)
		}
	}
	return i + len(want), failure{}
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

package jsontext

import "bytes"

// Value is one JSON value inside a checked text: its bytes without the white space around it. It shares the text's
// memory.
type Value []byte

// Kind is the kind of a value.
type Kind int

// The kinds of JSON values. Invalid is that of an empty or unchecked text.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"invalid", "null", "bool", "number", "string", "array", "object"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Invalid]
	}
	return kindNames[k]
}

// Kind returns the kind of the value, judged by its first byte that is no white space.
func (v Value) Kind() Kind {
	i := skipSpace(v, 0)
	if i >= len(v) {
		return Invalid
	}
	switch c := v[i]; {
	case c == '"':
		return String
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == 'n':
		return Null
	case c == 't' || c == 'f':
		return Bool
	case c == '-' || '0' <= c && c <= '9':
		return Number
	}
	return Invalid
}

// Trim returns a text without the white space around it.
func Trim(data []byte) Value {
	return bytes.Trim(data, " \n\t\r")
}

// Elements appends the elements of a checked array to dst. It appends nothing when data is no array.
func Elements(dst []Value, data []byte) []Value {
	i := skipSpace(data, 0)
	if i >= len(data) || data[i] != '[' {
		return dst
	}
	for {
		i = skipSpace(data, i+1)
		end := skipValue(data, i)
		if end == i {
			return dst
		}
		dst = append(dst, data[i:end:end])
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ',' {
			return dst
		}
	}
}

// Members calls f for each member of a checked object, in order, duplicates too, until f returns false. The key is what
// stands between the quotes, escapes and all: see KeyEqual and Unescape. It calls f never when data is no object.
func Members(data []byte, f func(key []byte, value Value) bool) {
	i := skipSpace(data, 0)
	if i >= len(data) || data[i] != '{' {
		return
	}
	for {
		i = skipSpace(data, i+1)
		if i >= len(data) || data[i] != '"' {
			return
		}
		end := skipString(data, i)
		if end < i+2 {
			return
		}
		key := data[i+1 : end-1 : end-1]
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ':' {
			return
		}
		i = skipSpace(data, i+1)
		end = skipValue(data, i)
		if end == i || !f(key, Value(data[i:end:end])) {
			return
		}
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ',' {
			return
		}
	}
}

// Lookup returns a member of a checked object by its name; the last one when there are several.
func Lookup(data []byte, name string) (v Value, ok bool) {
	Members(data, func(key []byte, value Value) bool {
		if KeyEqual(key, name) {
			v, ok = value, true
		}
		return true
	})
	return v, ok
}

// skipValue returns the index behind the value at i; i itself where none begins.
func skipValue(data []byte, i int) int {
	if i >= len(data) {
		return i
	}
	switch data[i] {
	case '"':
		return skipString(data, i)
	case '{', '[':
		return skipContainer(data, i)
	}
	for i < len(data) {
		switch data[i] {
		case ',', ']', '}', ':', ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return i
}

// skipContainer returns the index behind the array or object that begins at i.
func skipContainer(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			i = skipString(data, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at i.
func skipString(data []byte, i int) int {
	for i++; i < len(data); {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return len(data)
		}
		end := i + n
		slants := 0
		for end-1-slants >= i && data[end-1-slants] == '\\' {
			slants++
		}
		i = end + 1
		if slants%2 == 0 {
			return i
		}
	}
	return len(data)
}

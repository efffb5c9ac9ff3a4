package lattice

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/unit"
)

// parser reads keys and variables out of checked JSON. What it returns shares no memory with the text.
type parser struct {
	// stored allows the members of the stored form, and no expires_in.
	stored bool
	// now is what expires_in counts from, in Unix milliseconds.
	now int64
	// lim is nil where nothing is bounded: what the store holds was checked when it came.
	lim *Limits
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", port.ErrMalformed, fmt.Sprintf(format, args...))
}

func tooMuch(format string, args ...any) error {
	return fmt.Errorf("%w: %s", port.ErrLimit, fmt.Sprintf(format, args...))
}

// members calls f for each member of an object until it fails, with names unescaped; what names the object.
func members(v jsontext.Value, what string, f func(name string, value jsontext.Value) error) error {
	if v.Kind() != jsontext.Object {
		return malformed("%s must be an object", what)
	}
	var err error
	jsontext.Members(v, func(key []byte, value jsontext.Value) bool {
		name, ok := string(key), true
		if strings.IndexByte(name, '\\') >= 0 {
			var b []byte
			b, ok = jsontext.Unescape(nil, key)
			name = string(b)
		}
		if !ok {
			err = malformed("%s: bad escape in a name", what)
			return false
		}
		err = f(name, value)
		return err == nil
	})
	return err
}

// keys reads an object of keys. All of them are checked, also those that a later one of the same name replaces.
func (p *parser) keys(v jsontext.Value, what string) (Keys, error) {
	var list []entry
	err := members(v, what, func(name string, value jsontext.Value) error {
		key, err := names.ParseKey(name)
		if err != nil {
			return malformed("%s: %.50q: %v", what, name, err)
		}
		state, err := p.state(value)
		if err != nil {
			return fmt.Errorf("%s: %.50q: %w", what, name, err)
		}
		list = append(list, entry{key, state})
		return nil
	})
	if err != nil {
		return Keys{}, err
	}
	return Keys{list: slices.Clip(lastOf(list, byKey))}, nil
}

// state reads the object of one key.
func (p *parser) state(v jsontext.Value) (State, error) {
	var s State
	err := members(v, "a key", func(name string, value jsontext.Value) error {
		if err := p.member(&s, name, value); err != nil {
			return fmt.Errorf("%.50q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return State{}, err
	}
	s.vars = slices.Clip(lastOf(s.vars, byName))
	return s, nil
}

func (p *parser) member(s *State, name string, v jsontext.Value) (err error) {
	for kind, suffix := range suffixes {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if !isIdentifier(base) {
				return malformed("not the name of a variable")
			}
			value, err := p.value(Kind(kind), v)
			if err == nil {
				s.vars = append(s.vars, variable{unique.Make(name), value})
			}
			return err
		}
	}
	if !p.stored && name == "expires_in" {
		s.End, err = p.expires(v)
		return err
	}
	if !p.stored || name != endName && name != genName {
		return malformed("must end in _counter, _set or _register")
	}
	n, ok := jsontext.Uint64(v)
	if !ok || name == endName && n > math.MaxInt64 {
		return malformed("must be an integer")
	}
	if name == endName {
		s.End = int64(n)
	} else {
		s.Gen = n
	}
	return nil
}

// isIdentifier tells whether s is [A-Za-z_][A-Za-z0-9_]*.
func isIdentifier(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// expires reads a duration and returns when it is over, never sooner than it says.
func (p *parser) expires(v jsontext.Value) (int64, error) {
	text, ok := jsontext.Unquote(v)
	if !ok {
		return 0, malformed("must be a string such as \"90s\"")
	}
	d, err := unit.ParseDuration(text)
	if err != nil {
		return 0, malformed("%.100v", err)
	}
	ms := d.Milliseconds()
	if d%time.Millisecond != 0 {
		ms++
	}
	return p.now + ms, nil
}

func (p *parser) value(kind Kind, v jsontext.Value) (Value, error) {
	var value Value
	switch kind {
	case Set:
		set, err := parseSet(v)
		if err != nil {
			return Value{}, err
		}
		value = newSet(set)
	case Register:
		pair := jsontext.Elements(make([]jsontext.Value, 0, 2), v)
		if len(pair) != 2 || pair[0].Kind() != jsontext.Number {
			return Value{}, malformed("a register must be [version, value] with a number as version")
		}
		version, err := strconv.ParseFloat(string(pair[0]), 64)
		if err != nil {
			return Value{}, malformed("the version is out of range")
		}
		value = newRegister(version, string(pair[1]))
	default:
		n, ok := jsontext.Uint64(v)
		if !ok {
			return Value{}, malformed("a counter must be an integer from 0 to 18446744073709551615")
		}
		return newCounter(n), nil
	}
	if p.lim != nil {
		return value, value.check(p.lim)
	}
	return value, nil
}

func parseSet(v jsontext.Value) ([]string, error) {
	if v.Kind() != jsontext.Array {
		return nil, malformed("a set must be an array")
	}
	var set []string
	ok := true
	jsontext.Each(v, func(e jsontext.Value) bool {
		var s string
		if s, ok = jsontext.Unquote(e); ok {
			set = append(set, s)
		}
		return ok
	})
	if !ok {
		return nil, malformed("a set must hold strings only")
	}
	slices.Sort(set)
	return slices.Clip(slices.Compact(set)), nil
}

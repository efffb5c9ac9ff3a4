package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/unit"
)

// scalar fills v from one text.
func (d *decoder) scalar(v reflect.Value, n any, f field, path string) {
	s, ok := n.(scalar)
	if !ok {
		d.mismatch(n, path, "expected %s, got %s", wanted(v.Type()), kindOf(n))
		return
	}
	if len(f.enum) > 0 {
		d.enum(v, s, f, path)
		return
	}
	if !d.untagged(s, path) {
		return
	}
	if s.Null != notNull {
		if f.opt {
			v.SetZero()
			return
		}
		d.mismatch(n, path, "expected %s, got Null", wanted(v.Type()))
		return
	}
	d.text(v, s, f, path)
}

func (d *decoder) text(v reflect.Value, s scalar, f field, path string) {
	if parse, own := scalarTypes[v.Type()]; own {
		x, err := parse(s.Text)
		if err != nil {
			d.mismatch(s, path, "%s", err)
			return
		}
		v.Set(reflect.ValueOf(x))
		if v.Type() == durationType {
			d.bounds(s, v.Int(), f, path, func(n int64) string { return formatDuration(time.Duration(n)) })
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		b, err := parseBool(s.Text)
		if err != nil {
			d.mismatch(s, path, "%s", err)
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := unit.ParseInt(s.Text)
		if err != nil {
			d.invalid(s, path, "number error: %s", err)
			return
		}
		if d.bounds(s, n, f, path, func(n int64) string { return strconv.FormatInt(n, 10) }) {
			v.SetInt(n)
		}
	case reflect.Uint32:
		d.plainNumber(v, s, path)
	default:
		if f.ident && !names.IsIdentifier(s.Text) {
			d.mismatch(s, path, "%s: %q", errIdentifier, s.Text)
			return
		}
		v.SetString(s.Text)
	}
}

// plainNumber reads digits only, without suffix.
func (d *decoder) plainNumber(v reflect.Value, s scalar, path string) {
	var n uint64
	ok := s.Text != ""
	for _, c := range s.Text {
		if c < '0' || c > '9' || n > 1<<32-1 {
			ok = false
			break
		}
		n = n*10 + uint64(c-'0')
	}
	if !ok || n > 1<<32-1 {
		d.mismatch(s, path, "expected a number from 0 to %d, got %q", uint32(1<<32-1), s.Text)
		return
	}
	v.SetUint(n)
}

// bounds tells whether n is within the field's range, and says so if not.
func (d *decoder) bounds(s scalar, n int64, f field, path string, format func(int64) string) bool {
	switch {
	case f.min != nil && n < *f.min:
		d.invalid(s, path, "Value must be at least %s", format(*f.min))
	case f.max != nil && n > *f.max:
		d.invalid(s, path, "Value must be at most %s", format(*f.max))
	default:
		return true
	}
	return false
}

// enum takes one of the field's words, plain or as a tag; null means the default, if there is one.
func (d *decoder) enum(v reflect.Value, s scalar, f field, path string) {
	word := s.Text
	switch {
	case s.Tag != "" && s.Null == notNull:
		d.mismatch(s, path, "Null expected, %s found", kindOf(s))
		return
	case s.Tag != "":
		word = strings.TrimPrefix(s.Tag, "!")
	case s.Null != notNull && !f.req:
		return
	case s.Null != notNull:
		d.mismatch(s, path, "expected one of %s, got Null", strings.Join(f.enum, ", "))
		return
	}
	canonical := strings.ReplaceAll(word, "-", "_")
	if !slices.Contains(f.enum, canonical) {
		d.mismatch(s, path, "unknown value %q, expected one of %s", word, strings.Join(f.enum, ", "))
		return
	}
	v.SetString(canonical)
}

// address fills v with "host:port". Host names that can never resolve are left out with a warning at run time, as in
// the original; under keys that are ours they are mistakes.
func (d *decoder) address(v reflect.Value, n any, f field, path string) (dropped bool) {
	s, ok := n.(scalar)
	if !ok || s.Null != notNull {
		d.mismatch(n, path, "expected string, got %s", kindOf(n))
		return true
	}
	if s.Tag != "" && s.Tag != "!Tcp" {
		d.invalid(s, path, "The tag %s is not expected", s.Tag)
		return true
	}
	a, err := parseAddress(s.Text, f.port)
	if err != nil {
		if f.ours {
			d.mismatch(s, path, "%s, HOST:PORT is expected", err)
		} else {
			d.warnings = append(d.warnings, Warning{
				Module: "swindon::config", AtRun: true, Text: fmt.Sprintf("%s: Error parsing name: %s", s.Pos, err),
			})
		}
		return true
	}
	v.SetString(a)
	return false
}

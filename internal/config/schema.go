package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/internal/unit"
)

// field is one key of a fixed structure, as the tag `config:"key,options"` of a struct field tells it. Options:
//
//	inline        the fields of this struct count as the outer one's
//	req           must be given
//	opt           may be null, which means "no value"
//	min=, max=    range of a number or duration (min only)
//	enum=a|b      one of these words; dashes are as good as underscores
//	addr          an address or a list of them; a missing port becomes port= (80)
//	ident         letters, digits, "-" and "_" only; of a mapping: its keys
//	atleast=, atmost=  number of items of a list
//	size          a number of bytes (for the reference)
//	ours          the original does not have it
//	later         parsed and checked, but without effect in this release (for the reference)
type field struct {
	key   string // with dashes
	name  string // with underscores: the spelling of paths and of the tree
	index []int
	typ   reflect.Type

	req, opt, addr, ident, size, ours, later bool
	min, max                                 *int64
	enum                                     []string
	port                                     uint16
	atLeast, atMost                          int
}

// fieldsOf reads the tags of a struct, inlined ones included, in the order of the struct.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("config")
		if !ok || tag == "-" {
			continue
		}
		f := parseTag(tag)
		f.index, f.typ = []int{i}, sf.Type
		if f.key != "" {
			out = append(out, f)
			continue
		}
		for _, inner := range fieldsOf(sf.Type) {
			inner.index = append([]int{i}, inner.index...)
			out = append(out, inner)
		}
	}
	return out
}

func parseTag(tag string) field {
	key, options, _ := strings.Cut(tag, ",")
	f := field{key: key, name: strings.ReplaceAll(key, "-", "_"), port: 80}
	for opt := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(opt, "=")
		switch name {
		case "req":
			f.req = true
		case "opt":
			f.opt = true
		case "addr":
			f.addr = true
		case "ident":
			f.ident = true
		case "size":
			f.size = true
		case "ours":
			f.ours = true
		case "later":
			f.later = true
		case "min":
			f.min = limit(value)
		case "max":
			f.max = limit(value)
		case "enum":
			f.enum = strings.Split(value, "|")
		case "port":
			n, _ := strconv.ParseUint(value, 10, 16)
			f.port = uint16(n)
		case "atleast":
			f.atLeast, _ = strconv.Atoi(value)
		case "atmost":
			f.atMost, _ = strconv.Atoi(value)
		}
	}
	return f
}

// limit reads the bound of a range: a number, or a duration in nanoseconds.
func limit(s string) *int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return &n
	}
	d, _ := unit.ParseDuration(s)
	n := int64(d)
	return &n
}

// item is what an element of a list or mapping is decoded as: by the options of the list, without those that concern
// the list as a whole.
func (f field) item() field {
	f.req, f.opt, f.atLeast, f.atMost = false, false, 0, 0
	f.typ = f.typ.Elem()
	return f
}

// structured tells whether the field is a fixed structure with keys of its own.
func (f field) structured() bool {
	return f.typ.Kind() == reflect.Struct && !isScalarType(f.typ)
}

// byName finds a key by its underscore spelling.
func byName(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

var durationType = reflect.TypeFor[time.Duration]()

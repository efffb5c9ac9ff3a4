package config

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/routing"
)

// decoder fills structs from a tree by their tags. It goes on after a mistake, so that all of them are told at once.
type decoder struct {
	problems *problems
	warnings []Warning
	// positions of the entries of name tables, for the checks that come later: ".handlers.abc".
	positions map[string]Pos
}

func newDecoder() *decoder { return &decoder{problems: &problems{}, positions: map[string]Pos{}} }

// mismatch notes that n cannot be what path expects.
func (d *decoder) mismatch(n any, path, format string, args ...any) {
	d.problems.add(decodeError, posOf(n), path, format, args...)
}

// invalid notes that n is of the right kind but not allowed at path.
func (d *decoder) invalid(n any, path, format string, args ...any) {
	d.problems.add(validationError, posOf(n), path, format, args...)
}

// structure fills v, which holds the defaults, from a mapping; nothing after the colon leaves the defaults.
func (d *decoder) structure(v reflect.Value, n any, path string) {
	m, ok := d.asMapping(n, path)
	if !ok {
		return
	}
	fields := fieldsOf(v.Type())
	d.unknownKeys(m, fields, path)
	for _, f := range fields {
		child, given := m[f.name]
		switch {
		case given:
			d.positions[path+"."+f.name] = posOf(child)
			d.value(v.FieldByIndex(f.index), child, f, path+"."+f.name)
		case f.typ == messageHandlersType:
			d.mismatch(n, path+"."+f.name, "%s", routing.ErrNoDefault)
		case f.req:
			d.mismatch(n, path, "missing field `%s`", f.name)
		}
	}
	d.content(v.Addr().Interface(), m, n, path)
}

// asMapping returns the mapping that stands for a structure or a name table; an implicit null is an empty one.
func (d *decoder) asMapping(n any, path string) (map[string]any, bool) {
	if m, ok := n.(map[string]any); ok {
		return m, true
	}
	if nullOf(n) == implicitNull {
		return nil, true
	}
	d.mismatch(n, path, "mapping expected, got %s", kindOf(n))
	return nil, false
}

// unknownKeys refuses what a structure does not have; keys that begin with an underscore are the user's own.
func (d *decoder) unknownKeys(m map[string]any, fields []field, path string) {
	var unknown []string
	pos := headerOf(m).Pos
	for _, k := range keysOf(m) {
		if _, ok := byName(fields, k); ok || strings.HasPrefix(k, "_") {
			continue
		}
		if p, ok := headerOf(m).Keys[k]; ok && unknown == nil {
			pos = p
		}
		unknown = append(unknown, strconv.Quote(k))
	}
	if unknown == nil {
		return
	}
	if path == "" {
		path = "top level"
	}
	d.problems.add(validationError, pos, path, "Keys {%s} are not expected", strings.Join(unknown, ", "))
}

var (
	messageHandlersType = reflect.TypeFor[[]gateway.MessageHandler]()
	rulesType           = reflect.TypeFor[[]routing.Rule]()
	handlerType         = reflect.TypeFor[Handler]()
	authorizerType      = reflect.TypeFor[Authorizer]()
)

// value fills v with n as the field's options say.
func (d *decoder) value(v reflect.Value, n any, f field, path string) {
	switch t := v.Type(); {
	case t == messageHandlersType:
		d.messageHandlers(v, n, path)
		return
	case t == rulesType:
		d.rules(v, n, path)
		return
	case t == handlerType:
		decodeVariant(d, v, n, path, handlerVariants)
		return
	case t == authorizerType:
		decodeVariant(d, v, n, path, authorizerVariants)
		return
	case isScalarType(t):
		d.scalar(v, n, f, path)
		return
	}
	if !d.untagged(n, path) {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		d.list(v, n, f, path)
	case reflect.Map:
		d.table(v, n, f, path)
	default:
		d.structure(v, n, path)
	}
}

// untagged refuses a tag where none means anything.
func (d *decoder) untagged(n any, path string) bool {
	if tag := tagOf(n); tag != "" {
		d.invalid(n, path, "The tag %s is not expected", tag)
		return false
	}
	return true
}

func (d *decoder) list(v reflect.Value, n any, f field, path string) {
	l, ok := n.(list)
	if !ok && nullOf(n) != implicitNull {
		d.mismatch(n, path, "sequence expected, got %s", kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(l.Items))
	for i, item := range l.Items {
		e := reflect.New(v.Type().Elem()).Elem()
		if dropped := d.item(e, item, f, path+"["+strconv.Itoa(i)+"]"); !dropped {
			out = reflect.Append(out, e)
		}
	}
	switch count := len(l.Items); {
	case count < f.atLeast:
		d.invalid(n, path, "Expected sequence with at least %d element(s)", f.atLeast)
	case f.atMost > 0 && count > f.atMost:
		d.invalid(n, path, "Expected sequence with at most %d element(s)", f.atMost)
	}
	if out.Len() > 0 {
		v.Set(out)
		return
	}
	v.SetZero() // an empty list is like none, so that configurations compare
}

// item decodes one element of a list; true means that it is left out with a warning.
func (d *decoder) item(v reflect.Value, n any, f field, path string) (dropped bool) {
	if f.addr {
		return d.address(v, n, f, path)
	}
	d.value(v, n, f.item(), path)
	return false
}

// table fills a map from names to values, each of which begins with its type's defaults.
func (d *decoder) table(v reflect.Value, n any, f field, path string) {
	m, ok := d.asMapping(n, path)
	if !ok {
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for _, name := range keysOf(m) {
		at := path + "." + name
		key, ok := d.tableKey(v.Type().Key(), m, name, f, path)
		if !ok {
			continue
		}
		if pos := posOf(m[name]); pos.File != "" {
			d.positions[at] = pos
		}
		e := defaultsOf(v.Type().Elem())
		d.value(e, m[name], f.item(), at)
		out.SetMapIndex(key, e)
	}
	if out.Len() > 0 {
		v.Set(out)
		return
	}
	v.SetZero()
}

// tableKey checks a name that the user chose.
func (d *decoder) tableKey(t reflect.Type, m map[string]any, name string, f field, path string) (reflect.Value, bool) {
	var err error
	if t == reflect.TypeFor[names.Pool]() {
		_, err = parsePool(name)
	} else if f.ident && !names.IsIdentifier(name) {
		err = errIdentifier
	}
	if err != nil {
		d.problems.add(decodeError, keyPos(m, name), path, "%s: %q", err, name)
		return reflect.Value{}, false
	}
	return reflect.ValueOf(name).Convert(t), true
}

// keyPos is where a key stands.
func keyPos(m map[string]any, key string) Pos {
	h := headerOf(m)
	if p, ok := h.Keys[key]; ok {
		return p
	}
	return h.Pos
}

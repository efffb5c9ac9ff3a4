package config

import (
	"errors"
	"reflect"

	"github.com/knadh/koanf/v2"
)

// layer is one source of values as koanf takes it.
type layer map[string]any

// ReadBytes is not supported: our layers come parsed.
func (layer) ReadBytes() ([]byte, error) { return nil, errors.New("config: layers come parsed") }

// Read returns the tree.
func (l layer) Read() (map[string]any, error) { return l, nil }

// stack lays trees upon each other: a later one wins key by key. Sequences and scalars are replaced as a whole.
func stack(layers ...map[string]any) (map[string]any, error) {
	k := koanf.New(delimiter)
	for _, l := range layers {
		if len(l) == 0 {
			continue // koanf goes through everything again for each layer
		}
		if err := k.Load(layer(l), nil); err != nil {
			return nil, err
		}
	}
	return k.Raw(), nil
}

// defaultPos is the place of values that nobody wrote.
var defaultPos = Pos{File: "default"}

// defaultsTree writes the defaults of a structure as a tree: the lowest layer. Values that do not come as one text are
// left to the struct that decoding begins with.
func defaultsTree(v reflect.Value) map[string]any {
	m := map[string]any{}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if f.structured() {
			m[f.name] = defaultsTree(fv)
			continue
		}
		text, ok := formatValue(fv)
		switch {
		case !ok:
		case f.opt && fv.IsZero():
			m[f.name] = scalar{Null: implicitNull, Pos: defaultPos}
		default:
			m[f.name] = scalar{Text: text, Pos: defaultPos}
		}
	}
	return m
}

// normalise gives the keys of fixed structures their underscore spelling, so that layers meet, and drops the user's own
// keys. Where both spellings of a key stand, the one with underscores counts (configuration §2.3).
func normalise(n any, t reflect.Type) any {
	switch n := n.(type) {
	case list:
		if t.Kind() == reflect.Slice {
			for i := range n.Items {
				n.Items[i] = normalise(n.Items[i], t.Elem())
			}
		}
		return n
	case map[string]any:
		return normaliseMapping(n, t)
	case scalar:
		// Nothing after the colon is an empty structure, into which another layer may write.
		if n.Null == implicitNull && hasKeys(t, n.Tag) {
			return map[string]any{headerKey: header{Tag: n.Tag, Pos: n.Pos, Keys: map[string]Pos{}}}
		}
	}
	return n
}

// hasKeys tells whether values of a type are mappings.
func hasKeys(t reflect.Type, tag string) bool {
	if inner, ok := variantType(t, tag); ok {
		t = inner
	}
	return t.Kind() == reflect.Map || t.Kind() == reflect.Struct && !isScalarType(t)
}

func normaliseMapping(m map[string]any, t reflect.Type) map[string]any {
	if t.Kind() == reflect.Map {
		for _, k := range keysOf(m) {
			m[k] = normalise(m[k], t.Elem())
		}
		return m
	}
	if inner, ok := variantType(t, headerOf(m).Tag); ok {
		t = inner
	}
	if t.Kind() != reflect.Struct || isScalarType(t) {
		return m
	}
	h := headerOf(m)
	out := map[string]any{}
	keys := map[string]Pos{}
	put := func(name, key string, t reflect.Type) {
		out[name] = normalise(m[key], t)
		keys[name] = h.Keys[key]
		delete(m, key)
	}
	for _, f := range fieldsOf(t) {
		_, dashed := m[f.key]
		_, underscored := m[f.name]
		switch {
		case underscored:
			put(f.name, f.name, f.typ)
		case dashed:
			put(f.name, f.key, f.typ)
		}
		delete(m, f.key)
	}
	for _, k := range keysOf(m) {
		if k == "" || k[0] != '_' {
			put(k, k, reflect.TypeFor[string]())
		}
	}
	h.Keys = keys
	out[headerKey] = h
	return out
}

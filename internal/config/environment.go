package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// envPrefix begins the names of environment variables that are meant for us.
const envPrefix = "SWINDON__"

// setting is one value out of the environment or the flags.
type setting struct {
	name string // as it is told in messages
	key  string // path in the form A__B__KEY
	text string
	used string // the path that it set, once one was found
}

// environment returns the settings in a process environment, sorted by name. Names match in any case (decision D39).
func environment(environ []string) (out []*setting) {
	for _, kv := range environ {
		name, text, _ := strings.Cut(kv, "=")
		if len(name) > len(envPrefix) && strings.EqualFold(name[:len(envPrefix)], envPrefix) {
			out = append(out, &setting{name: "environment variable " + name, key: name[len(envPrefix):], text: text})
		}
	}
	slices.SortFunc(out, func(a, b *setting) int { return strings.Compare(a.name, b.name) })
	return out
}

// flagKey turns the path of a flag into the form of the environment.
var flagKey = strings.NewReplacer(".", "__", "-", "_")

// flagSettings returns the settings of the command line, given as paths such as "nats.listen".
func flagSettings(flags map[string]string) (out []*setting) {
	for path, text := range flags {
		out = append(out, &setting{name: "flag " + path, key: flagKey.Replace(path), text: text})
	}
	slices.SortFunc(out, func(a, b *setting) int { return strings.Compare(a.name, b.name) })
	return out
}

// target is a key that a setting may mean.
type target struct {
	path []string
	f    field
}

// overlay makes a layer out of settings for the keys of t and the names that stand in tree. What matches nothing stays
// unused; what matches two keys, or a key that another setting means too, is an error.
func overlay(settings []*setting, t reflect.Type, tree map[string]any, p *problems) map[string]any {
	out := map[string]any{}
	taken := map[string]string{}
	for _, s := range settings {
		pos := Pos{s.name, 1, 1}
		found := targets(field{typ: t}, tree, s.key, nil)
		if len(found) == 0 {
			continue
		}
		path := strings.Join(found[0].path, ".")
		switch {
		case len(found) > 1:
			s.used = path
			p.add(validationError, pos, "", "ambiguous, it means .%s and .%s", path, strings.Join(found[1].path, "."))
			continue
		case s.used != "":
			p.add(validationError, pos, "", "ambiguous, it means .%s and .%s", s.used, path)
			continue
		}
		s.used = path
		if other, twice := taken[path]; twice {
			p.add(validationError, pos, "."+path, "%s sets the same key", other)
			continue
		}
		taken[path] = s.name
		if n, ok := s.value(found[0].f, p); ok {
			put(out, found[0].path, n)
		}
	}
	return out
}

// targets finds the keys that rest can mean below n, whose type is that of f.
func targets(f field, n any, rest string, path []string) (out []target) {
	t := f.typ
	m, _ := n.(map[string]any)
	try := func(name string, child field) {
		upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		at := append(slices.Clone(path), name)
		if strings.EqualFold(rest, upper) && settable(child) {
			out = append(out, target{at, child})
		}
		if l := len(upper) + 2; len(rest) > l && strings.EqualFold(rest[:l], upper+"__") {
			out = append(out, targets(child, m[name], rest[l:], at)...)
		}
	}
	if inner, ok := variantType(t, tagOf(n)); ok {
		t = inner
	}
	switch {
	case isScalarType(t):
	case t.Kind() == reflect.Struct:
		for _, child := range fieldsOf(t) {
			try(child.name, child)
		}
	case t.Kind() == reflect.Map:
		for _, name := range keysOf(m) {
			if names.IsIdentifier(name) {
				try(name, f.item())
			}
		}
	}
	return out
}

// settable tells whether one text can hold the whole value of a key.
func settable(f field) bool {
	return isScalarType(f.typ) || f.typ.Kind() == reflect.Slice && isScalarType(f.typ.Elem())
}

// value reads a setting: a list in YAML flow form, anything else as it stands. For keys that may be null, "null" and
// "~" mean that.
func (s *setting) value(f field, p *problems) (any, bool) {
	if f.typ.Kind() != reflect.Slice || isScalarType(f.typ) {
		n := scalar{Text: s.text, Pos: Pos{s.name, 1, 1}}
		if f.opt && (s.text == "null" || s.text == "~") {
			n.Null = explicitNull
		}
		return n, true
	}
	own := &problems{}
	node := parseYAML([]byte(s.text), s.name, own)
	tree := (&expander{problems: own}).expand(node, s.name, 0)
	p.early = append(p.early, own.early...)
	return tree, own.err() == nil
}

// put sets a value deep in a tree.
func put(m map[string]any, path []string, n any) {
	for _, k := range path[:len(path)-1] {
		child, ok := m[k].(map[string]any)
		if !ok {
			child = map[string]any{}
			m[k] = child
		}
		m = child
	}
	m[path[len(path)-1]] = n
}

// unusedWarnings tell the settings that meant nothing.
func unusedWarnings(settings []*setting) (out []Warning) {
	for _, s := range settings {
		if s.used == "" {
			out = append(out, Warning{
				Module: "swindon::config", AtRun: true,
				Text: s.name + " means no key of the configuration",
			})
		}
	}
	return out
}

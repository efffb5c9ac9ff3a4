package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a configuration. Aliases are copied wherever they stand, so that a small file could grow without end.
const (
	maxNodes = 200_000 // parts of the tree, all files together
	maxDepth = 64      // mappings and sequences inside each other, includes counted on
)

// expander makes the tree out of YAML nodes: it resolves aliases, includes, merges and unpacks.
type expander struct {
	files    *files
	problems *problems
	nodes    int
	full     bool
}

// document is one file on its way through the expander.
type document struct {
	*expander
	file   string // as it stands in positions; relative includes start in its folder
	depth  int
	active map[*yaml.Node]bool // aliases that are being copied
}

// expand returns the tree of a parsed file; nil nodes are an implicit null.
func (e *expander) expand(n *yaml.Node, file string, depth int) any {
	d := &document{expander: e, file: file, depth: depth, active: map[*yaml.Node]bool{}}
	if n == nil {
		return scalar{Null: implicitNull, Pos: Pos{file, 1, 1}}
	}
	return d.node(n)
}

func (d *document) pos(n *yaml.Node) Pos { return Pos{d.file, max(n.Line, 1), max(n.Column, 1)} }

// fail notes a problem and returns something harmless, so that the walk can go on.
func (d *document) fail(kind problemKind, n *yaml.Node, format string, args ...any) any {
	d.problems.add(kind, d.pos(n), "", format, args...)
	return scalar{Null: implicitNull, Pos: d.pos(n)}
}

func (d *document) node(n *yaml.Node) any {
	if d.full {
		return scalar{Null: implicitNull, Pos: d.pos(n)}
	}
	if d.nodes++; d.nodes > maxNodes {
		d.full = true
		return d.fail(preprocessError, n, "the configuration has more than %d values, aliases and includes counted "+
			"wherever they stand", maxNodes)
	}
	if d.depth++; d.depth > maxDepth {
		d.full = true
		return d.fail(preprocessError, n, "nested deeper than %d levels", maxDepth)
	}
	defer func() { d.depth-- }()
	switch n.Kind {
	case yaml.AliasNode:
		return d.alias(n)
	case yaml.MappingNode:
		return d.mapping(n)
	case yaml.SequenceNode:
		return d.sequence(n)
	case yaml.ScalarNode:
		return d.scalar(n)
	}
	return d.fail(parseError, n, "unexpected YAML node")
}

func (d *document) alias(n *yaml.Node) any {
	if n.Alias == nil || d.active[n.Alias] {
		return d.fail(parseError, n, "Unknown alias %q", n.Value)
	}
	d.active[n.Alias] = true
	defer delete(d.active, n.Alias)
	return d.node(n.Alias)
}

func (d *document) scalar(n *yaml.Node) any {
	tag := ownTag(n)
	switch {
	case tag == "!*Include":
		return d.include(n)
	case strings.HasPrefix(tag, "!*"):
		return d.fail(preprocessError, n, "The tag %s is not expected here", tag)
	}
	return scalar{Text: n.Value, Tag: tag, Null: nullKindOf(n), Pos: d.pos(n)}
}

// nullKindOf tells what a YAML scalar means: null is written in two ways only, and never in quotes.
func nullKindOf(n *yaml.Node) nullKind {
	if n.Style&^yaml.TaggedStyle != 0 {
		return notNull
	}
	switch n.Value {
	case "":
		return implicitNull
	case "~", "null":
		return explicitNull
	}
	return notNull
}

// ownTag is a local tag such as "!Proxy"; the global ones of YAML itself mean nothing to us.
func ownTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") || n.Tag == "!" {
		return ""
	}
	return n.Tag
}

func (d *document) sequence(n *yaml.Node) any {
	tag := ownTag(n)
	if strings.HasPrefix(tag, "!*") {
		return d.fail(preprocessError, n, "The tag %s is not expected here", tag)
	}
	l := list{Items: []any{}, Tag: tag, Pos: d.pos(n)}
	for _, item := range n.Content {
		if ownTag(item) == "!*Unpack" {
			l.Items = append(l.Items, d.unpack(item)...)
			continue
		}
		l.Items = append(l.Items, d.node(item))
	}
	return l
}

// unpack returns the items of all lists inside an !*Unpack.
func (d *document) unpack(n *yaml.Node) (items []any) {
	if n.Kind != yaml.SequenceNode {
		d.fail(preprocessError, n, "!*Unpack expects a list of lists")
		return nil
	}
	for _, c := range n.Content {
		switch inner := d.node(c).(type) {
		case list:
			items = append(items, inner.Items...)
		case scalar:
			if inner.Null != implicitNull {
				d.fail(preprocessError, c, "!*Unpack expects a list of lists, got %s", kindOf(inner))
			}
		default:
			d.fail(preprocessError, c, "!*Unpack expects a list of lists, got %s", kindOf(inner))
		}
	}
	return items
}

// mapping walks the keys in sorted order, "<<" last: the order decides that of the files in the fingerprint.
func (d *document) mapping(n *yaml.Node) any {
	tag := ownTag(n)
	if strings.HasPrefix(tag, "!*") {
		return d.fail(preprocessError, n, "The tag %s is not expected here", tag)
	}
	h := header{Tag: tag, Pos: d.pos(n), Keys: map[string]Pos{}}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ok := d.key(n.Content[i])
		if !ok {
			continue
		}
		if _, twice := values[key]; twice {
			d.fail(parseError, n.Content[i], "Duplicate key %q", key)
			continue
		}
		values[key] = n.Content[i+1]
		h.Keys[key] = d.pos(n.Content[i])
	}
	merged := values["<<"]
	delete(values, "<<")
	delete(h.Keys, "<<")
	m := make(map[string]any, len(values)+1)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		m[k] = d.node(values[k])
	}
	if merged != nil {
		d.merge(m, h, merged)
	}
	m[headerKey] = h
	return m
}

func (d *document) key(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(parseError, n, "Keys must be scalars")
		return "", false
	}
	if nullKindOf(n) != notNull {
		return "", true
	}
	if strings.ContainsAny(n.Value, delimiter+headerKey) {
		d.fail(parseError, n, "control character in key %q", n.Value)
		return "", false
	}
	return n.Value, true
}

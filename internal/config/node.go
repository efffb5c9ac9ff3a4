package config

import (
	"fmt"
	"maps"
	"slices"
)

// delimiter joins keys in koanf's flat form. No key may hold it (decision D38).
const delimiter = "\x1f"

// headerKey is where a mapping of the tree keeps its header. No key of a file may hold it.
const headerKey = "\x1e"

// Pos is a place in a file. Line and Column count from 1.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String is FILE:LINE:COLUMN.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// nullKind tells the two nulls of the language apart: some keys take one and not the other.
type nullKind int

const (
	notNull      nullKind = iota
	implicitNull          // nothing after the colon
	explicitNull          // "~" or "null"
)

// scalar is a leaf of the tree. The fields are exported because koanf copies values by reflection.
type scalar struct {
	Text string
	Tag  string
	Null nullKind
	Pos  Pos
}

// list is a sequence of the tree.
type list struct {
	Items []any
	Tag   string
	Pos   Pos
}

// header is what a mapping of the tree knows about itself. It lies in the mapping under headerKey, so that a later layer
// that replaces or extends the mapping brings its own.
type header struct {
	Tag  string
	Pos  Pos
	Keys map[string]Pos
}

// headerOf returns the header of a mapping; a mapping that no file holds has an empty one.
func headerOf(m map[string]any) header {
	h, _ := m[headerKey].(header)
	return h
}

// keysOf returns the keys of a mapping in order, without its header.
func keysOf(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	return slices.DeleteFunc(keys, func(k string) bool { return k == headerKey })
}

// posOf is where a part of the tree begins.
func posOf(n any) Pos {
	switch n := n.(type) {
	case scalar:
		return n.Pos
	case list:
		return n.Pos
	case map[string]any:
		if h := headerOf(n); h.Pos.File != "" {
			return h.Pos
		}
		// Made of settings out of the environment or of defaults: the first one's place.
		if keys := keysOf(n); len(keys) > 0 {
			return posOf(n[keys[0]])
		}
	}
	return Pos{}
}

// tagOf is the tag of a part of the tree, with its exclamation mark, or "".
func tagOf(n any) string {
	switch n := n.(type) {
	case scalar:
		return n.Tag
	case list:
		return n.Tag
	case map[string]any:
		return headerOf(n).Tag
	}
	return ""
}

// nullOf tells whether a part of the tree is null, and which.
func nullOf(n any) nullKind {
	if s, ok := n.(scalar); ok {
		return s.Null
	}
	return notNull
}

// kindOf names a part of the tree as the error messages do.
func kindOf(n any) string {
	switch n := n.(type) {
	case scalar:
		if n.Null != notNull {
			return "Null"
		}
		return "Scalar"
	case list:
		return "Seq"
	}
	return "Map"
}

// Package config reads the configuration: it layers defaults, files, environment and flags, checks every key, and yields
// the plain Config values of the other packages.
//
// The way of a text through the package:
//
//	bytes ──parse──► YAML nodes ──expand──► tree ──normalise──► koanf ──decode──► Config ──check──► done
//	                 (yaml.v3)    aliases, includes,  one spelling    layers    by struct     names that
//	                              merges, unpacks     of each key               tags          must exist
//
// The tree is made of map[string]any, list and scalar. Every scalar is text: what it means is decided by the key that it
// is assigned to. Each part knows its file, line and column, so that each problem can be told with its place.
//
// What a key is called, its range and its special treatment stand in the `config` tag of the struct field that it fills;
// defaults stand in the packages' Default functions. Tags read "key,option,option=value"; the options are listed at field.
//
// Nothing here is called concurrently; the values that come out are plain and immutable by agreement.
package config

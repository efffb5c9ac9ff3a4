// Package jsontext checks JSON texts and takes them apart without building values of them.
//
// The gateway hands JSON from foreign hands on as the bytes that came in (decision D12). What it needs is a strict
// check, done once where a text enters, whose complaints carry line and column and are worded as clients of the
// original server know them; and after that, cheap access to the few parts that it looks at itself. encoding/json
// can do neither: its complaints are its own, it accepts text that is no UTF-8, and it copies.
//
// The rule of the package: [Check] first, the rest only on what was checked. The accessors never panic and never read
// outside their argument, whatever they are given, but what they return for unchecked text is unspecified.
//
// Beyond RFC 8259 a text must not nest deeper than [MaxDepth], its strings must be UTF-8 with paired surrogate escapes,
// and its numbers must fit a float64. Duplicate keys are allowed.
//
// All functions may be called concurrently; none keeps or changes what it is given. The package is a leaf.
package jsontext

// Package unit reads durations and sizes as they stand in configuration files and in lattice updates. It is a leaf
// without I/O.
package unit

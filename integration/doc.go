// Package integration holds the black-box tests: they start the built programs on configuration files and speak raw sockets to
// them. docs/conformance.md names them row by row.
package integration

// Package replica holds the lattice documents of one node.
package replica

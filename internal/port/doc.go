// Package port holds the plain values and the sentinel errors that cross the joints between packages: what a gateway
// hands to a broker or to an upstream destination, and what it gets back.
//
// Interfaces do not stand here: each stands in the package that calls it. The package is a leaf.
package port

// Package lattice joins the values of shared state and tells what grew; it does no I/O and has no clock and no lock.
package lattice

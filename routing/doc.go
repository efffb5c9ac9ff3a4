// Package routing finds the target of a request by host and path, and the target of a call by its method name.
//
// Both tables are built once, checked as a whole, and immutable afterwards: they may be read from any goroutine, and
// a lookup allocates nothing. The package is pure: no I/O, no clock, no locks.
package routing

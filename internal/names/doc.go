// Package names holds every checked string of the program as a type of its own (topics, methods, users, connections …)
// and is the only place where NATS subjects are built and taken apart.
//
// A value of one of these types has passed its Parse function: whoever holds a Topic need not check it again. The
// encoding of names into subject tokens is total and bijective (decision D3), so that no name of a client or a backend
// can reach another subject than its own.
//
// The package is a leaf: it imports nothing of ours, and all of it may be called concurrently.
package names

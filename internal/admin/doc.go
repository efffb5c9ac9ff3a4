// Package admin answers health, readiness, metrics and inspection on a listener of its own. It knows no other part of
// the node: it is given functions.
package admin

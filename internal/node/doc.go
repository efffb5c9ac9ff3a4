// Package node is one running Swindon: it turns a checked configuration into parts, starts them in order, swaps them at a
// reload and stops them from the outside in. It is the composition root: what one package needs of another is handed in
// here, and nowhere else.
//
// A node keeps nothing that another node needs. Several may run in one process, as tests do.
package node

// Package replica holds the lattice documents of one session pool on one node: what its clients see of them, what the
// store holds of them, and how both follow what the other nodes write.
//
// With a store (the KV modes) every change is committed there first, by compare-and-swap, then announced to the other
// nodes, then acknowledged. A node keeps copies only of what its own clients look at. The store numbers all commits of a
// session pool; announcements carry the number, so that a node sees when it has missed one and reads what is missing.
//
// Without a store (a mesh, decision D24) every node keeps everything and a change is acknowledged when another node
// has answered that it has it.
//
// DESIGN.md beside this file says how the parts work together, which lock guards what, and what is left when a node
// dies at each step.
package replica

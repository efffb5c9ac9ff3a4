// Package presence knows which users of a session pool are there, on all nodes together (protocol §9, §10; decisions
// D25 to D28).
//
// Each user has one Record in the session pool's store. A node writes what it has of the user (connections, a later
// deadline); the owner, which is the live node with the highest rendezvous hash, does what has to be done once in the
// whole cluster: when the deadline passes it asks the nodes that hold connections for a later one, makes the
// transition to inactive or offline and sends the notice; it takes the entries of dead nodes out of the records and
// purges private documents after their grace.
//
// Records are joined like lattice documents, so that the order in which a node hears of them does not matter; where
// there is a store, a compare-and-swap keeps two nodes from making one transition. In a mesh nothing does: as long as
// the nodes see each other only the owner acts, and in a partition each side may send one notice (decision D27).
//
// Times are Unix milliseconds. The clocks of the nodes are supposed to agree within a second or so; a deadline passes by
// the owner's clock.
package presence

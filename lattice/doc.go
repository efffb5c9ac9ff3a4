// Package lattice joins the values of shared state and tells what grew; it does no I/O and has no clock and no lock.
//
// A [State] is one key: variables, an end and a generation. [Keys] are the keys of a user's private document, or of
// the shared part of a [Delta], which is what a backend sends. Two copies that have heard the same things are equal,
// in whatever order and however often they heard them: Merge is commutative, associative and idempotent. It returns
// what grew, which is what has to be told to others: applied to a copy of the old state it gives the new one
// (decision D20).
//
// # Ends and generations
//
// A key may have an end (decision D21). An ended key is hidden by each node's own clock; [State.Ended] tells. What is
// written to it afterwards belongs to a new life, which begins without variables: the generation grows, and a higher
// generation replaces a lower one altogether. So a counter may begin again below its old value, and no old copy can
// mix into the new life. The generation of the new life follows from the old one and its end, so that two nodes
// that begin it at the same time agree.
//
// That works only as long as an ended key is remembered. [Keys.DropEnded] therefore forgets it [EndedKept] after its
// end and not before.
//
// # Memory
//
// There may be a hundred thousand keys. Variables and keys lie in sorted slices, names of variables exist once in the
// process, and values are immutable and shared between states.
package lattice

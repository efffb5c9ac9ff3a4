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
// A store that was lost is filled again by all nodes that know something of a user, with connections or as owner at
// once, as followers a little later. What is written back is joined with what is there, so it does not matter who does
// it or how often: versions grow, and a period whose notice is known to be sent is not told again. A node that finds
// the loss ends no activity and sends no notice for 11 s, so that those who know more have told it.
//
// What cannot be made safe: a node has missed the last change of a record and brings back what it knows, and nobody who
// knows more holds the user in memory, or finds the loss in time. A notice that was sent is then sent again, with the
// same request id if its beginning was heard of. And of a user whom nobody holds in memory, because all who had
// connections and the owner have died, nothing is left: who asks is told that he is offline, with a version of this
// moment.
//
// Private data of an absent user must be in a record, or nothing would ever have it purged: Touch notes it, after the
// answer to the backend. A node may die before that is written, or have too much to note (100,000), or the store may lose
// the record. So one node searches all private documents for users whose record leads to no purge, and touches them: 15 s
// after its start, 15 s after a node was last heard of, 11 s after the store was lost, a few seconds after it has left
// touches out itself, and once an hour; but a node never begins two searches within a minute. It reads 512 documents and
// their users' records at a time, two such pages a second at most, and waits while 1,000 touches are to be written. Data
// that was forgotten thus gets a grace from the search on.
//
// A purge leaves what was written within the grace, by the store's time of the document (in a mesh: when this node's copy
// changed or was loaded), since its touch may be on the way; another purge follows when that is old. An update that
// brings nothing new writes nothing: its touch alone keeps the data, and a purge in the milliseconds before may win. In a
// mesh so may one by an owner that has not heard of the write yet.
//
// Times are Unix milliseconds. The clocks of the nodes are supposed to agree within a second or so; a deadline passes by
// the owner's clock.
package presence

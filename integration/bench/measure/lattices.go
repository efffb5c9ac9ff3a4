package measure

import (
	"fmt"
	"time"
)

// lattices returns the measures of lattices and of several nodes.
func lattices(quick bool) []Measure {
	count, clients, times, rest := 100_000, 5_000, 200, 5*time.Second
	if quick {
		count, clients, times, rest = 2_000, 200, 20, time.Second
	}
	stored, state, crowd := &users{users: count, keys: 10, rest: rest}, attach{keys: 100, times: times}, storm{clients, 5}
	own := state
	own.embedded = true
	overNATS := "acknowledged requests in flight over one NATS connection, one node; afterwards the store is compared"
	snapshots := "middle of the time from the request to the snapshot at the client; 100 private keys with a shared part each, of a namespace that the node has not loaded"
	receiving := "CPU of a node that gets messages of which it has no subscriber; with subscribers of as many other topics. What it does more " +
		"when it delivers is what the publishing node does as well. 64 publishers in a closed loop over the other node's HTTP API, 128 bytes. The baseline subscribes to all topics in the second node's place"
	const bareReader = "bare NATS subscriber"
	return []Measure{
		{
			Name: "lattice-relay", Title: "lattice update to a subscriber on another node, 500 a second", Unit: "ms", Limit: 3,
			ours: relay{500}.ours, Method: "middle of the time from the request to one node's backend API to the frame at the other node's client; 100 keys in turn",
		},
		{
			Name: "lattice-keys", Title: "lattice updates of 1000 keys, 64 writers over NATS", Unit: "updates/s", Least: 10_000,
			ours: updates{1000, 64}.ours, Method: "64 " + overNATS,
		},
		{
			Name: "lattice-hot", Title: "lattice updates of one key, 128 writers over NATS", Unit: "updates/s", Least: 25_000,
			ours: updates{1, 128}.ours, Method: "128 " + overNATS,
		},
		{
			Name: "merge", Title: "merge of ten keys into a user's thousand", Unit: "µs", Limit: 2,
			ours: merging{}.ours, Method: "CPU time in a process of its own, garbage collection included; one variable of each key grows; it fails when a merge in which nothing grows allocates",
		},
		{
			Name: "lattice-attach", Title: "snapshot of 100 keys from the store", Unit: "ms", Limit: 2,
			Base: "the same reads with the bare client library", ours: state.ours, base: state.base, Method: snapshots,
		},
		{
			Name: "lattice-attach-embedded", Title: "snapshot of 100 keys from the embedded store", Unit: "ms", Limit: 2,
			ours: own.ours, Method: snapshots,
		},
		{
			Name: "users-memory", Title: fmt.Sprintf("%d users with 10 private keys each in an embedded store", count), Unit: "KiB/user",
			ours: stored.memory, Method: fmt.Sprintf("(VmRSS %v after the last was written − VmRSS before) ÷ users; nobody is connected, each user has a record", rest),
		},
		{
			Name: "users-restart", Title: "restart with that store, from exec to 200 on /ready", Unit: "s", Limit: 5,
			ours: stored.restart, Method: "measured in the runs of users-memory",
		},
		{
			Name: "second-1", Title: "message on a second node besides its delivery, 1 topic", Unit: "µs/message", Limit: 3, Base: bareReader,
			ours: second{1}.ours, base: second{1}.base, Method: receiving,
		},
		{
			Name: "second-10000", Title: "message on a second node besides its delivery, 10000 topics", Unit: "µs/message", Limit: 3, Base: bareReader,
			ours: second{10_000}.ours, base: second{10_000}.base, Method: receiving,
		},
		{
			Name: "storm", Title: fmt.Sprintf("reconnect storm of %d clients", clients), Unit: "s",
			ours: crowd.ours, Method: "their node is killed; all come to the other one at the same time and are attached to a namespace; until the last has its snapshot of 5 keys",
		},
	}
}

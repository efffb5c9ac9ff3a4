package chat

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// variables are the values of one key, by name. The end of a name is the type: _counter (the greatest wins), _set (grows),
// _register ([version, value], the greatest version wins).
type variables map[string]any

// delta is an update of a lattice as the gateway's API takes it. It is joined into what is there: to send it twice, late or
// in another order makes no difference.
type delta struct {
	Shared  map[string]variables            `json:"shared,omitempty"`
	Private map[string]map[string]variables `json:"private,omitempty"`
}

func newDelta() *delta {
	return &delta{Shared: map[string]variables{}, Private: map[string]map[string]variables{}}
}

// share sets a variable for all who may see the key.
func (d *delta) share(key, name string, value any) {
	if d.Shared[key] == nil {
		d.Shared[key] = variables{}
	}
	d.Shared[key][name] = value
}

// show makes a key visible to a user, and returns the variables that only that user gets.
func (d *delta) show(user, key string) variables {
	if d.Private[user] == nil {
		d.Private[user] = map[string]variables{}
	}
	if d.Private[user][key] == nil {
		d.Private[user][key] = variables{}
	}
	return d.Private[user][key]
}

// tally counts what this instance has sent to each room. A counter of a lattice keeps its greatest value, so that two
// backends which add to one would hide each other's messages. Therefore each instance has a counter of its own, under a name
// that no other takes, and the page adds them up (a "G-counter"). An instance that ends leaves its count in the lattice; the
// next one begins at nought under another name. It may be used from several goroutines.
type tally struct {
	variable string
	mu       sync.Mutex // guards rooms
	rooms    map[string]uint64
}

func newTally() *tally {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	return &tally{variable: "sent_" + hex.EncodeToString(id[:]) + "_counter", rooms: map[string]uint64{}}
}

// add counts a message and returns the new count of the room.
func (t *tally) add(room string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rooms[room]++
	return t.rooms[room]
}

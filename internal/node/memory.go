package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// HeapFloor is memory that is reserved and never touched, in bytes.
//
// The collector starts when the heap has doubled. A gateway with few connections lives in a handful of MiB, so under load
// it would collect a hundred times a second and spend 10 to 20 % of its CPU on it. The reserve counts as heap, which puts
// the start at twice its size at least, and costs no memory: pages that nobody touches are not there. For a large heap it
// makes no difference (docs/adr/0009).
const HeapFloor = 24 << 20

// reserve returns the reserve; who holds it keeps it.
func reserve() []byte { return make([]byte, HeapFloor) }

// When memory goes back to the system: after a period in which next to nothing was allocated, if there was something to
// collect since the last time. A burst of connections leaves garbage that the collector, with nothing to do, would leave
// lying for minutes.
const (
	quietPeriod = 4 * time.Second
	quietBytes  = 2 << 20  // allocated within the period
	worthBytes  = 16 << 20 // allocated since memory was given back
)

// giveBack gives memory back to the system in quiet periods until ctx ends.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(quietPeriod)
	defer tick.Stop()
	var quiet quietness
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if quiet.next(allocated()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// quietness tells from the total of allocated bytes, looked at once a period, when to give memory back.
type quietness struct{ last, given uint64 }

func (q *quietness) next(total uint64) bool {
	quiet := total-q.last < quietBytes
	q.last = total
	if !quiet || total-q.given < worthBytes {
		return false
	}
	q.given = total
	return true
}

// allocated is the number of bytes allocated since the start.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

package ws

import (
	"sync"
	"time"
)

// clock wakes connections at the times they asked for: one timer for all of them and 16 bytes for each. It is a binary
// heap by time. A connection may be woken earlier than it asked, never later; it looks itself what is due.
type clock struct {
	mu    sync.Mutex // protects the following; innermost
	heap  []alarm
	timer *time.Timer
	armed time.Duration // when the timer fires; 0 when it does not

	start time.Time // what alarms count from
}

type alarm struct {
	at time.Duration // since start
	c  *Conn
}

// now is the time as alarms count it.
func (k *clock) now() time.Duration { return time.Since(k.start) }

// set asks for a wake-up at a time, unless an earlier one is set already. The caller holds c.mu.
func (k *clock) set(c *Conn, at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch i := int(c.alarm) - 1; {
	case i < 0:
		k.heap = append(k.heap, alarm{at, c})
		c.alarm = int32(len(k.heap))
		k.up(len(k.heap) - 1)
	case at < k.heap[i].at:
		k.heap[i].at = at
		k.up(i)
	default:
		return
	}
	k.arm()
}

// drop forgets a connection's wake-up. The caller holds c.mu.
func (k *clock) drop(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := int(c.alarm) - 1; i >= 0 {
		k.remove(i)
		k.arm()
	}
}

// arm sets the timer for the first alarm. An early timer stays: its firing finds nothing due and arms anew.
func (k *clock) arm() {
	if len(k.heap) == 0 {
		if k.timer != nil {
			k.timer.Stop()
		}
		k.armed = 0
		if cap(k.heap) > keptAlarms {
			k.heap = nil
		}
		return
	}
	at := k.heap[0].at
	if k.armed != 0 && at >= k.armed {
		return
	}
	k.armed = at
	if k.timer == nil {
		k.timer = time.AfterFunc(at-k.now(), k.fire)
	} else {
		k.timer.Reset(at - k.now())
	}
}

// keptAlarms bounds the capacity that an empty heap keeps.
const keptAlarms = 1024

// fire wakes every connection whose time has come.
func (k *clock) fire() {
	k.mu.Lock()
	k.armed = 0
	for len(k.heap) > 0 {
		now := k.now()
		if k.heap[0].at > now {
			break
		}
		c := k.heap[0].c
		k.remove(0)
		k.mu.Unlock()
		c.tick(now)
		k.mu.Lock()
	}
	k.arm()
	k.mu.Unlock()
}

func (k *clock) remove(i int) {
	k.heap[i].c.alarm = 0
	last := len(k.heap) - 1
	if i != last {
		k.heap[i] = k.heap[last]
		k.heap[i].c.alarm = int32(i + 1)
	}
	k.heap[last] = alarm{}
	k.heap = k.heap[:last]
	if i < last {
		k.down(i)
		k.up(i)
	}
}

func (k *clock) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if k.heap[i].at >= k.heap[parent].at {
			return
		}
		k.swap(i, parent)
		i = parent
	}
}

func (k *clock) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(k.heap) {
			return
		}
		if r := child + 1; r < len(k.heap) && k.heap[r].at < k.heap[child].at {
			child = r
		}
		if k.heap[child].at >= k.heap[i].at {
			return
		}
		k.swap(i, child)
		i = child
	}
}

func (k *clock) swap(i, j int) {
	k.heap[i], k.heap[j] = k.heap[j], k.heap[i]
	k.heap[i].c.alarm = int32(i + 1)
	k.heap[j].c.alarm = int32(j + 1)
}

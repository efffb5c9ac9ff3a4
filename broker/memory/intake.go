package memory

import (
	"sync"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of what waits for one handler, as in package broker.
const (
	intakeBytes     = 64 << 20
	intakeCount     = 1 << 20
	messageOverhead = 256
)

// intake hands messages to a handler one by one. Its goroutine lives only while there are some.
type intake struct {
	handle func(port.Message)
	gap    func(reason string)
	limit  int64

	mu      sync.Mutex // guards the following; innermost lock
	queue   []port.Message
	bytes   int64
	full    bool
	running bool
	stopped bool
	idle    chan struct{} // closed when the goroutine that runs ends
}

func size(m port.Message) int64 { return int64(len(m.Subject)+len(m.Data)) + messageOverhead }

// put queues m, or drops it when a bound is reached.
func (in *intake) put(m port.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return
	}
	if in.bytes+size(m) > in.limit || len(in.queue) >= intakeCount {
		if !in.full {
			in.full = true
			go in.gap("overflow")
		}
		return
	}
	in.full = false
	in.bytes += size(m)
	in.queue = append(in.queue, m)
	if !in.running {
		in.running = true
		in.idle = make(chan struct{})
		go in.run()
	}
}

func (in *intake) run() {
	for {
		in.mu.Lock()
		if len(in.queue) == 0 || in.stopped {
			in.queue, in.bytes, in.running = nil, 0, false
			close(in.idle)
			in.mu.Unlock()
			return
		}
		m := in.queue[0]
		in.queue = in.queue[1:]
		in.mu.Unlock()
		in.handle(m)
		in.mu.Lock()
		in.bytes -= size(m)
		in.mu.Unlock()
	}
}

// stop drops what waits and returns when handle runs no more.
func (in *intake) stop() {
	in.mu.Lock()
	in.stopped = true
	running, idle := in.running, in.idle
	in.mu.Unlock()
	if running {
		<-idle
	}
}

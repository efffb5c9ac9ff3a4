package gateway

import (
	"runtime"
	"sync"
)

// workers runs calls on goroutines that are used again, because a goroutine that has made one call has the stack that
// the next one needs.
//
// Calls wait in a queue for a runner. As many workers as there are processors may be runners at a time: more would only
// contend, and to wake one for each call would cost more than most calls. A worker that is about to wait for something
// else than a processor gives its role to another one first; how many wait is bounded by max-calls-in-flight.
type workers struct {
	maxRunners int

	mu      sync.Mutex // guards the following and worker.runner
	queue   []*call
	head    int       // of queue: what is before it is taken
	parked  []*worker // the last one to park, which has the warmest stack, is woken first
	runners int
	count   int
	closed  bool
	empty   chan struct{} // closed when stopped and the last goroutine has ended
}

// worker is one goroutine.
type worker struct {
	all    *workers
	runner bool
	wake   chan struct{} // holds one token
	// yield is giveUp, made once.
	yield func()
}

// maxParked is how many goroutines may wait for the next call.
const maxParked = 1024

func newWorkers() *workers {
	return &workers{maxRunners: max(2, runtime.GOMAXPROCS(0)), empty: make(chan struct{})}
}

// do has k run soon. After stop it does nothing and returns false: the client is gone.
func (p *workers) do(k *call) bool {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return false
	}
	p.queue = append(p.queue, k)
	var w *worker
	if p.runners < p.maxRunners {
		p.runners++
		w = p.appoint()
	}
	p.mu.Unlock()
	w.start()
	return true
}

// appoint chooses a worker for the role of a runner, which is counted already. The caller holds mu and calls start
// after it.
func (p *workers) appoint() *worker {
	if n := len(p.parked) - 1; n >= 0 {
		w := p.parked[n]
		p.parked[n] = nil
		p.parked = p.parked[:n]
		w.runner = true
		return w
	}
	p.count++
	return &worker{all: p, runner: true}
}

// start lets a worker go that was appointed; none was when w is nil.
func (w *worker) start() {
	switch {
	case w == nil:
	case w.wake == nil:
		w.wake = make(chan struct{}, 1)
		w.yield = w.giveUp
		go w.work()
	default:
		w.wake <- struct{}{}
	}
}

func (w *worker) work() {
	for k := w.next(); k != nil; k = w.next() {
		k.run(w)
	}
}

// giveUp is called before w waits: another worker becomes runner in its place if there is something to run.
func (w *worker) giveUp() {
	p := w.all
	p.mu.Lock()
	var other *worker
	if w.runner {
		w.runner = false
		if p.head < len(p.queue) {
			other = p.appoint()
		} else {
			p.runners--
		}
	}
	p.mu.Unlock()
	other.start()
}

// next waits for a call; nil: the goroutine is to end.
func (w *worker) next() *call {
	p := w.all
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.head < len(p.queue) && (w.runner || p.runners < p.maxRunners) {
			if !w.runner {
				w.runner = true
				p.runners++
			}
			return p.take()
		}
		if w.runner {
			w.runner = false
			p.runners--
		}
		if p.closed || len(p.parked) >= maxParked {
			if p.count--; p.closed && p.count == 0 {
				close(p.empty)
			}
			return nil
		}
		p.parked = append(p.parked, w)
		p.mu.Unlock()
		<-w.wake
		p.mu.Lock()
	}
}

// take takes the oldest call. The caller holds mu and knows that there is one.
func (p *workers) take() *call {
	k := p.queue[p.head]
	p.queue[p.head] = nil
	p.head++
	switch {
	case p.head == len(p.queue):
		p.queue, p.head = p.queue[:0], 0
		if cap(p.queue) > maxParked {
			p.queue = nil // a burst's big slice is not kept for ever
		}
	case p.head >= maxParked && p.head >= len(p.queue)/2:
		// A queue that is never empty must not grow either.
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	return k
}

// stop lets the waiting goroutines end and waits for those at work.
func (p *workers) stop() {
	p.mu.Lock()
	p.closed = true
	parked := p.parked
	p.parked = nil
	none := p.count == 0
	p.mu.Unlock()
	for _, w := range parked {
		w.wake <- struct{}{}
	}
	if !none {
		<-p.empty
	}
}

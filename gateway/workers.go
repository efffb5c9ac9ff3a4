package gateway

import (
	"sync"
	"sync/atomic"
)

// workers runs calls on goroutines that are used again, because a goroutine that has made one call has the stack that
// the next one needs. It bounds only those that wait; how many run is bounded by max-calls-in-flight.
type workers struct {
	next chan call
	idle atomic.Int32
	done chan struct{} // closed by stop

	mu     sync.Mutex // guards count and closed
	count  int
	closed bool
	empty  chan struct{} // closed when stopped and the last goroutine has ended
}

// maxIdleWorkers is how many goroutines may wait for the next call.
const maxIdleWorkers = 256

func newWorkers() *workers {
	return &workers{next: make(chan call), done: make(chan struct{}), empty: make(chan struct{})}
}

// do runs k on a waiting goroutine, or on a new one. After stop it does nothing: the caller of k is gone.
func (w *workers) do(k call) {
	select {
	case w.next <- k:
		return
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.count++
	go w.work(k)
}

func (w *workers) work(k call) {
	defer w.leave()
	for {
		k.run()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case k = <-w.next:
			w.idle.Add(-1)
		case <-w.done:
			return
		}
	}
}

func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count--
	if w.closed && w.count == 0 {
		close(w.empty)
	}
}

// stop lets the waiting goroutines end and waits for those at work.
func (w *workers) stop() {
	w.mu.Lock()
	w.closed = true
	none := w.count == 0
	close(w.done)
	w.mu.Unlock()
	if !none {
		<-w.empty
	}
}

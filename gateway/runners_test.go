package gateway

import (
	"testing"
	"testing/synctest"
)

// TestRunners counts roles: no more runners than allowed, a worker that gives up its role is replaced when something
// waits, and none is left behind.
func TestRunners(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWorkers()
		p.maxRunners = 1
		p.runners = 1 // the test is the only runner
		w := &worker{all: p, runner: true}
		p.count = 1
		k := &call{}
		k.over.Store(true)
		if !p.do(k) || len(p.queue) != 1 || p.count != 1 {
			t.Fatalf("queue %d, workers %d; want the call to wait for the only runner", len(p.queue), p.count)
		}
		if got := w.next(); got != k || !w.runner {
			t.Fatalf("next is %p, runner %v; want %p", got, w.runner, k)
		}
		w.giveUp()
		w.giveUp()
		if p.runners != 0 {
			t.Errorf("%d runners after the only one has given up", p.runners)
		}
		go p.stop()
		synctest.Wait()
		if p.do(&call{}) {
			t.Error("a call was taken after stop")
		}
		if got := w.next(); got != nil {
			t.Error("a worker got something to do after stop")
		}
		synctest.Wait()
		select {
		case <-p.empty:
		default:
			t.Error("stop still waits")
		}
	})
}

package http1

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// unwatched is a request context without a connection.
func unwatched() *requestContext { return &requestContext{Context: context.Background(), over: true} }

// Contexts that are made from a request's are done with it, and cost no goroutine until then.
func TestAfterFunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := unwatched()
		var called, stopped atomic.Int32
		stop := context.AfterFunc(ctx, func() { stopped.Add(1) })
		context.AfterFunc(ctx, func() {
			if ctx.Err() == nil {
				t.Error("it is not done")
			}
			called.Add(1)
		})
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		left, leave := context.WithCancel(ctx)
		if len(ctx.after) != 4 {
			t.Errorf("package context has given it %d functions", len(ctx.after))
		}
		leave()
		if !stop() || stop() || left.Err() == nil || len(ctx.after) != 2 {
			t.Errorf("%d functions are left", len(ctx.after))
		}
		synctest.Wait()
		if called.Load() != 0 || child.Err() != nil {
			t.Error("too early")
		}
		ctx.end()
		<-child.Done()
		if !errors.Is(context.Cause(child), context.Canceled) {
			t.Error(context.Cause(child))
		}
		ctx.end()
		late := make(chan struct{})
		if ctx.AfterFunc(func() { close(late) })() {
			t.Error("it stopped what has begun")
		}
		<-late
		synctest.Wait()
		if called.Load() != 1 || stopped.Load() != 0 {
			t.Errorf("called %d times, the stopped one %d times", called.Load(), stopped.Load())
		}
	})
}

// A function is either stopped or called once, whoever is first.
func TestAfterFuncRaces(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			ctx := unwatched()
			var outcomes atomic.Int32
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if ctx.AfterFunc(func() { outcomes.Add(1) })() {
						outcomes.Add(1)
					}
				})
			}
			all.Go(ctx.end)
			all.Wait()
			synctest.Wait()
			if n := outcomes.Load(); n != 4 || len(ctx.after) != 0 {
				t.Errorf("%d outcomes of 4, %d functions left", n, len(ctx.after))
			}
		})
	}
}

// What a request is made of besides its header stays one piece of memory, the writer with it.
func TestWriterCostsNoAllocation(t *testing.T) {
	var q *request
	if n := testing.AllocsPerRun(100, func() {
		q = &request{}
		var w http.ResponseWriter = &q.writer
		_ = w
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
	_ = q
}

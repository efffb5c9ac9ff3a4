package broker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestFlushShared: those who wait together share a trip, and who comes during one waits for the next.
func TestFlushShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		trips := 0
		trip := make(chan error)
		g := newFlushGroup(func() error { trips++; return <-trip })
		results := make(chan error, 200)
		flush := func() { results <- g.wait(t.Context()) }

		go flush()
		synctest.Wait() // the first trip runs
		for range 100 {
			go flush()
		}
		synctest.Wait()
		if len(results) != 0 {
			t.Fatal("somebody did not wait")
		}
		trip <- nil
		synctest.Wait()
		if trips != 2 || len(results) != 1 {
			t.Fatalf("after the first trip: %d trips, %d served", trips, len(results))
		}
		trip <- nil
		synctest.Wait()
		if trips != 2 || len(results) != 101 {
			t.Fatalf("at the end: %d trips, %d served", trips, len(results))
		}
		go flush()
		synctest.Wait()
		trip <- errTest
		synctest.Wait()
		for range 101 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if err := <-results; !errors.Is(err, errTest) {
			t.Errorf("error of the trip: %v", err)
		}
	})
}

var errTest = errors.New("test")

// TestFlushAbandoned: who gives up does not end the trip of the others.
func TestFlushAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		trip := make(chan error)
		g := newFlushGroup(func() error { return <-trip })
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := make(chan error, 1), make(chan error, 1)
		go func() { gone <- g.wait(ctx) }()
		synctest.Wait()
		go func() { stays <- g.wait(t.Context()) }()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		trip <- errTest
		trip <- nil
		if err := <-stays; err != nil {
			t.Errorf("who stayed: %v", err)
		}
	})
}

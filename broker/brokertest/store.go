package brokertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Store is what the suite of stores holds an implementation to: replica.Store.
type Store interface {
	Ready() bool
	Get(ctx context.Context, key string) (port.Entry, error)
	GetLatest(ctx context.Context, key string) (port.Entry, error)
	GetMany(ctx context.Context, keys []string) ([]port.Entry, error)
	CompareAndSwap(ctx context.Context, key string, rev uint64, value []byte, ttl time.Duration) (uint64, error)
	Delete(ctx context.Context, key string, rev uint64) (uint64, error)
	Changes(ctx context.Context, filter string, after uint64, limit int) (port.Page, error)
	LastSequence(ctx context.Context) (uint64, error)
}

// Stores is one empty bucket as two nodes see it.
type Stores struct {
	A, B Store
	// Lag says that Get, GetMany and Changes may answer from before a write for a moment.
	Lag bool
}

// RunStore runs the suite of stores, each test on a bucket of its own, which setup makes ready.
func RunStore(t *testing.T, setup func(t *testing.T) Stores) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, s Stores){
		"Revisions":      testRevisions,
		"Sequences":      testSequences,
		"BadKeys":        testBadKeys,
		"TooLargeValue":  testTooLargeValue,
		"EmptyValue":     testEmptyValue,
		"StoreCancelled": testStoreCancelled,
		"Race":           testRace,
		"Ends":           testEnds,
		"GetMany":        testGetMany,
		"GetManyLarge":   testGetManyLarge,
		"GetManyWritten": testGetManyWritten,
		"Changes":        testChanges,
		"ChangesPages":   testChangesPages,
		"ChangesLarge":   testChangesLarge,
		"ChangesWritten": testChangesWritten,
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			if !s.Lag { // a cluster is not to compete with itself for two cores
				t.Parallel()
			}
			if !s.A.Ready() || !s.B.Ready() {
				t.Fatalf("not ready: %v, %v", s.A.Ready(), s.B.Ready())
			}
			test(t, s)
		})
	}
}

// write writes under a key whose revision is rev.
func write(t *testing.T, s Store, key string, rev uint64, value string) uint64 {
	t.Helper()
	rev, err := s.CompareAndSwap(wait(t), key, rev, []byte(value), 0)
	if err != nil {
		t.Fatalf("write %s: %v", key, err)
	}
	return rev
}

func remove(t *testing.T, s Store, key string, rev uint64) uint64 {
	t.Helper()
	rev, err := s.Delete(wait(t), key, rev)
	if err != nil {
		t.Fatalf("delete %s: %v", key, err)
	}
	return rev
}

func last(t *testing.T, s Store) uint64 {
	t.Helper()
	n, err := s.LastSequence(wait(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reads says that both nodes read want. Without Lag the first reading must be it.
func reads[T any](t *testing.T, s Stores, what string, want T, read func(ctx context.Context, s Store) (T, error)) {
	t.Helper()
	for name, node := range map[string]Store{"A": s.A, "B": s.B} {
		ctx := wait(t)
		for {
			got, err := read(ctx, node)
			if err == nil && reflect.DeepEqual(want, got) {
				break
			}
			if err != nil || !s.Lag {
				t.Errorf("node %s, %s: %v, %v, want %v", name, what, got, err, want)
				break
			}
		}
	}
}

// readsKey says that a key holds value at rev, whichever way it is read; the value "-" stands for none.
func readsKey(t *testing.T, s Stores, key, value string, rev uint64) {
	t.Helper()
	want := port.Entry{Value: []byte(value), Revision: rev}
	if value == "-" {
		want.Value = nil
	}
	reads(t, s, "Get "+key, want, func(ctx context.Context, s Store) (port.Entry, error) { return s.Get(ctx, key) })
	s.Lag = false
	reads(t, s, "GetLatest "+key, want, func(ctx context.Context, s Store) (port.Entry, error) { return s.GetLatest(ctx, key) })
}

// testRevisions: compare-and-swap and deletion succeed at the last revision only, and a mark has one too.
func testRevisions(t *testing.T, s Stores) {
	t.Helper()
	key := "a=2Eb.p.u=3A1"
	fails := func(what string, rev uint64, err error) {
		t.Helper()
		if !errors.Is(err, port.ErrRevision) || rev != 0 {
			t.Errorf("%s: %d, %v", what, rev, err)
		}
	}
	readsKey(t, s, key, "-", 0)
	rev, err := s.A.CompareAndSwap(wait(t), key, 7, []byte("x"), 0)
	fails("written at a revision that never was", rev, err)
	rev, err = s.A.Delete(wait(t), key, 7)
	fails("deleted at a revision that never was", rev, err)
	r1 := write(t, s.A, key, 0, "one")
	readsKey(t, s, key, "one", r1)
	rev, err = s.B.CompareAndSwap(wait(t), key, 0, []byte("x"), 0)
	fails("written though it exists", rev, err)
	r2 := write(t, s.B, key, r1, "two")
	rev, err = s.A.CompareAndSwap(wait(t), key, r1, []byte("x"), 0)
	fails("written at an old revision", rev, err)
	rev, err = s.A.Delete(wait(t), key, r1)
	fails("deleted at an old revision", rev, err)
	readsKey(t, s, key, "two", r2)
	r3 := remove(t, s.A, key, r2)
	readsKey(t, s, key, "-", r3)
	rev, err = s.A.CompareAndSwap(wait(t), key, 0, []byte("x"), 0)
	fails("written over a mark as if there were none", rev, err)
	r4 := write(t, s.A, key, r3, "three")
	readsKey(t, s, key, "three", r4)
	if r1 == 0 || r2 <= r1 || r3 <= r2 || r4 <= r3 {
		t.Errorf("revisions %d, %d, %d, %d", r1, r2, r3, r4)
	}
}

// testSequences: writes and deletions are numbered over all keys without holes, and what fails takes no number.
func testSequences(t *testing.T, s Stores) {
	t.Helper()
	if n := last(t, s.B); n != 0 {
		t.Fatalf("an empty bucket is at %d", n)
	}
	for i := range uint64(20) {
		node := []Store{s.A, s.B}[i%2]
		key := fmt.Sprintf("n.s.k%d", i)
		if rev := write(t, node, key, 0, "x"); rev != 2*i+1 {
			t.Errorf("write %d has the number %d", i, rev)
		}
		if _, err := node.CompareAndSwap(wait(t), key, 0, []byte("y"), 0); !errors.Is(err, port.ErrRevision) {
			t.Error(err)
		}
		if rev := remove(t, node, key, 2*i+1); rev != 2*i+2 {
			t.Errorf("deletion %d has the number %d", i, rev)
		}
		if a, b := last(t, s.A), last(t, s.B); a != 2*i+2 || b != 2*i+2 {
			t.Errorf("after %d changes the last sequence is %d, %d", 2*i+2, a, b)
		}
	}
}

func testBadKeys(t *testing.T, s Stores) {
	t.Helper()
	long := strings.Repeat("x", names.MaxKey)
	for _, bad := range []string{"", "a..b", ".a", "a.", "*", "a.>", "a b", "a:b", "ü", "a\r\nb", long + "x"} {
		_, get := s.A.Get(wait(t), bad)
		_, latest := s.A.GetLatest(wait(t), bad)
		_, many := s.A.GetMany(wait(t), []string{"good", bad})
		_, written := s.A.CompareAndSwap(wait(t), bad, 0, nil, 0)
		_, deleted := s.A.Delete(wait(t), bad, 0)
		for what, err := range map[string]error{"Get": get, "GetLatest": latest, "GetMany": many, "CompareAndSwap": written, "Delete": deleted} {
			if err == nil || errors.Is(err, port.ErrUnavailable) || errors.Is(err, port.ErrTimeout) {
				t.Errorf("%s of key %q: %v", what, bad, err)
			}
		}
	}
	readsKey(t, s, long, "v", write(t, s.A, long, 0, "v"))
}

func testTooLargeValue(t *testing.T, s Stores) {
	t.Helper()
	if _, err := s.A.CompareAndSwap(wait(t), "big", 0, make([]byte, 8<<20+1), 0); !errors.Is(err, port.ErrTooLarge) {
		t.Errorf("too large a value: %v", err)
	}
	if n := last(t, s.A); n != 0 {
		t.Errorf("it took the number %d", n)
	}
}

// testEmptyValue: an empty value is one.
func testEmptyValue(t *testing.T, s Stores) {
	t.Helper()
	rev := write(t, s.A, "k", 0, "")
	want := port.Entry{Value: []byte{}, Revision: rev}
	for what, read := range map[string]func() (port.Entry, error){
		"Get":       func() (port.Entry, error) { return s.A.Get(wait(t), "k") },
		"GetLatest": func() (port.Entry, error) { return s.A.GetLatest(wait(t), "k") },
		"GetMany": func() (port.Entry, error) {
			e, err := s.A.GetMany(wait(t), []string{"k", "none"})
			return append(e, port.Entry{})[0], err
		},
		"Changes": func() (port.Entry, error) {
			p, err := s.A.Changes(wait(t), ">", 0, 1)
			return append(timeless(p).Changes, port.Change{})[0].Entry, err
		},
	} {
		for ctx := wait(t); ; {
			e, err := read()
			if err == nil && s.Lag && e.Revision == 0 && ctx.Err() == nil {
				continue
			}
			if err != nil || !reflect.DeepEqual(want, e) {
				t.Errorf("%s: %+v, %v", what, e, err)
			}
			break
		}
	}
}

func testStoreCancelled(t *testing.T, s Stores) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := s.A.Get(ctx, "k")
	_, latest := s.A.GetLatest(ctx, "k")
	_, many := s.A.GetMany(ctx, []string{"k", "l"})
	_, written := s.A.CompareAndSwap(ctx, "k", 0, nil, 0)
	_, deleted := s.A.Delete(ctx, "k", 0)
	_, changes := s.A.Changes(ctx, ">", 0, 10)
	_, sequence := s.A.LastSequence(ctx)
	for i, err := range []error{get, latest, many, written, deleted, changes, sequence} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := last(t, s.A); n != 0 {
		t.Errorf("something was written: %d", n)
	}
}

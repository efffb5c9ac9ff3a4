package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// testRace: of many writers at the same revision exactly one wins, each time.
func testRace(t *testing.T, s Stores) {
	t.Helper()
	const writers, rounds = 8, 20
	var wg sync.WaitGroup
	for i := range writers {
		node := []Store{s.A, s.B}[i%2]
		wg.Go(func() {
			for done := 0; done < rounds; {
				e, err := node.GetLatest(wait(t), "counter")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_, _ = fmt.Sscan(string(e.Value), &n) // nothing in it: 0
				switch _, err = node.CompareAndSwap(wait(t), "counter", e.Revision, fmt.Append(nil, n+1), 0); {
				case err == nil:
					done++
				case !errors.Is(err, port.ErrRevision):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	readsKey(t, s, "counter", strconv.Itoa(writers*rounds), writers*rounds)
}

// testEnds: a key with an end ends, and its mark has a number of its own; written again without one it stays, and with
// another end that one counts.
func testEnds(t *testing.T, s Stores) {
	t.Helper()
	put := func(key string, rev uint64, value string, ttl time.Duration) uint64 {
		t.Helper()
		rev, err := s.A.CompareAndSwap(wait(t), key, rev, []byte(value), ttl)
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	begin := time.Now()
	put("n.s.ends", 0, "x", time.Millisecond) // rounded up to a second
	stays := put("n.s.stays", put("n.s.stays", 0, "x", time.Second), "y", 0)
	later := put("n.s.later", put("n.s.later", 0, "x", time.Second), "y", time.Hour)
	before := last(t, s.A)
	if before != 5 {
		t.Fatalf("written up to %d", before)
	}
	// The mark is a message of its own, which we await.
	mark := before
	for ctx := wait(t); mark == before; {
		n, err := s.B.LastSequence(ctx)
		if err != nil {
			t.Fatal("the key does not end: ", err)
		}
		mark = n
	}
	if lived := time.Since(begin); lived < 900*time.Millisecond {
		t.Errorf("ended after %v", lived)
	}
	if mark != before+1 {
		t.Errorf("%d marks", mark-before)
	}
	readsKey(t, s, "n.s.ends", "-", mark)
	readsKey(t, s, "n.s.stays", "y", stays)
	readsKey(t, s, "n.s.later", "y", later)
	reads(t, s, "GetMany", []port.Entry{{Revision: mark}, {}}, func(ctx context.Context, s Store) ([]port.Entry, error) {
		return s.GetMany(ctx, []string{"n.s.ends", "n.s.none"})
	})
	reads(t, s, "Changes", page(0, change("n.s.ends", "-", mark)), func(ctx context.Context, s Store) (port.Page, error) {
		p, err := s.Changes(ctx, ">", later, 10)
		return timeless(p), err
	})
	if _, err := s.A.CompareAndSwap(wait(t), "n.s.ends", 0, nil, 0); !errors.Is(err, port.ErrRevision) {
		t.Errorf("written over a mark as if there were none: %v", err)
	}
	readsKey(t, s, "n.s.ends", "again", put("n.s.ends", mark, "again", 0))
}

package ident_test

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/ident"
)

var form = regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`)

// parts takes an id apart: milliseconds, fixed part, counter.
func parts(t *testing.T, id string) (ms uint64, fixed string, counter uint64) {
	t.Helper()
	if !form.MatchString(id) || len(id) != ident.Len {
		t.Fatalf("id %q", id)
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(raw) != 24 {
		t.Fatalf("id %q: %d bytes, %v", id, len(raw), err)
	}
	six := func(b []byte) uint64 { return binary.BigEndian.Uint64(append([]byte{0, 0}, b...)) }
	return six(raw[:6]), string(raw[6:18]), six(raw[18:])
}

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_123)
	g := ident.New(func() time.Time { return now })
	a := g.Next()
	now = now.Add(time.Second)
	b := g.Next()
	ms1, fixed1, n1 := parts(t, a)
	ms2, fixed2, n2 := parts(t, b)
	if ms1 != 1_700_000_000_123 || ms2 != ms1+1000 {
		t.Errorf("times %d, %d", ms1, ms2)
	}
	if fixed1 != fixed2 {
		t.Error("the fixed part has changed")
	}
	if n2 != (n1+1)&(1<<48-1) {
		t.Errorf("counters %d, %d", n1, n2)
	}
	if _, other, _ := parts(t, ident.New(time.Now).Next()); other == fixed1 {
		t.Error("two generators share their random part")
	}
}

func TestIdsAreUnique(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 1000
	now := time.Unix(1, 0)
	g := ident.New(func() time.Time { return now })
	got := make([][]string, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for range each {
				got[i] = append(got[i], g.Next())
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, ids := range got {
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != workers*each {
		t.Errorf("%d different ids of %d", len(seen), workers*each)
	}
}

func TestNextAllocatesOnce(t *testing.T) {
	g := ident.New(time.Now)
	if n := testing.AllocsPerRun(100, func() { _ = g.Next() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

package replica

import (
	"context"
	"fmt"
	"testing"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// narrow is a store that answers no more than three keys at a time, as one with large documents does.
type narrow struct {
	Store
	reads int
}

func (n *narrow) GetMany(ctx context.Context, keys []string) ([]port.Entry, error) {
	n.reads++
	if len(keys) > 3 {
		return nil, fmt.Errorf("answers: %w", port.ErrTooLarge)
	}
	return n.Store.GetMany(ctx, keys)
}

// TestLargeDocuments: what is too large to be read in one go is read in several, aligned with what was asked for.
func TestLargeDocuments(t *testing.T) {
	t.Parallel()
	s := lonely(t, 0)
	n := &narrow{Store: s.store}
	s.store = n
	var docs []names.Doc
	for i := range 21 {
		docs = append(docs, names.SharedOf(testSpace, names.Key(fmt.Sprint(i))))
		if i%4 == 3 {
			continue // absent
		}
		if _, err := s.store.CompareAndSwap(t.Context(), docs[i].StoreKey(), 0, fmt.Append(nil, i), 0); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := s.readMany(t.Context(), docs)
	if err != nil || len(entries) != len(docs) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		if want := fmt.Sprint(i); i%4 == 3 && e.Value != nil || i%4 != 3 && string(e.Value) != want {
			t.Errorf("%d: %q", i, e.Value)
		}
	}
	if n.reads < 7 || n.reads > 20 {
		t.Errorf("%d reads", n.reads)
	}
	s.Stop()
}

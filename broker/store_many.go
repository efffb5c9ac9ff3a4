package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/swindon-go/swindon/internal/port"
)

// batchTries bounds how often a piece of GetMany is asked for without any progress, because values are replaced meanwhile.
const batchTries = 5

// GetMany returns the last values of keys, in their order, from any replica, which may lag behind a write that was just
// acknowledged. A key that was never written has the zero Entry. It costs a request for each 1,024 keys, or fewer when
// keys or values are long (256 KiB and 4 MiB each). On an error nothing is returned.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]port.Entry, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if len(keys) == 1 {
		e, err := s.Get(ctx, keys[0])
		if err != nil {
			return nil, err
		}
		return []port.Entry{e}, nil
	}
	open := make([]string, 0, len(keys)) // subjects that are to be asked for
	found := make(map[string]port.Entry, len(keys))
	for _, key := range keys {
		subject, err := s.bucket.Key(key)
		if err != nil {
			return nil, err
		}
		if _, twice := found[key]; !twice {
			found[key] = port.Entry{}
			open = append(open, subject)
		}
	}
	for len(open) > 0 {
		n := fits(open)
		if err := s.getPiece(ctx, open[:n], found); err != nil {
			return nil, fmt.Errorf("get %d keys: %w", len(keys), err)
		}
		open = open[n:]
	}
	out := make([]port.Entry, len(keys))
	for i, key := range keys {
		out[i] = found[key]
	}
	return out, nil
}

// fits tells how many of the subjects go into one request.
func fits(subjects []string) int {
	size := 0
	for i, subject := range subjects {
		size += len(subject) + len(`"",`)
		if i == batchKeys || i > 0 && size > batchAsk {
			return i
		}
	}
	return len(subjects)
}

// getPiece asks for subjects until each was found or is known to be absent. What does not fit into one answer is asked
// for anew and not from where the answer ended: values that were replaced have moved behind that.
func (s *Store) getPiece(ctx context.Context, open []string, found map[string]port.Entry) error {
	for try := 1; len(open) > 0; {
		more, err := s.ask(ctx, batch{Last: open}, func(c port.Change) {
			if _, wanted := found[c.Key]; wanted {
				found[c.Key] = c.Entry
			}
		})
		switch {
		case err == nil && more == 0:
			return nil
		case err != nil && !errors.Is(err, errRepeat):
			return err
		}
		left := slices.DeleteFunc(slices.Clone(open), func(subject string) bool {
			key, _ := s.bucket.KeyOf(subject)
			return found[key].Revision > 0
		})
		if len(left) == len(open) {
			if try++; try > batchTries {
				return fmt.Errorf("values change too fast: %w", port.ErrUnavailable)
			}
		}
		open = left
	}
	return nil
}

// Changes returns the keys that match filter (tokens as in a key, "*", or ">" at its end) and were last changed above
// the sequence after, in the order of those changes, each with its last value; marks of deletions and expiries are
// entries without Value. It returns at most limit of them, no more than 1,024, and fewer when they are large (4 MiB).
// They come from any replica, which may lag.
func (s *Store) Changes(ctx context.Context, filter string, after uint64, limit int) (port.Page, error) {
	if after == math.MaxUint64 {
		return port.Page{}, nil
	}
	var page port.Page
	at := map[string]int{}
	req := batch{Seq: after + 1, Next: s.bucket.Filter(filter), Batch: max(1, min(limit, batchKeys))}
	more, err := s.ask(ctx, req, func(c port.Change) {
		// A key that is written while the server reads may come twice: its old value is no last change.
		if i, twice := at[c.Key]; twice {
			page.Changes[i].Key = ""
		}
		at[c.Key] = len(page.Changes)
		page.Changes = append(page.Changes, c)
	})
	if err != nil {
		return port.Page{}, fmt.Errorf("changes above %d: %w", after, err)
	}
	page.More = more
	if len(at) < len(page.Changes) {
		page.Changes = slices.DeleteFunc(page.Changes, func(c port.Change) bool { return c.Key == "" })
	}
	return page, nil
}

// LastSequence returns the sequence number of the last change of any key, marks included. It is the leader's word: all
// writes that were acknowledged before are at or below it.
func (s *Store) LastSequence(ctx context.Context) (uint64, error) {
	epoch := s.calls.epoch()
	m, err := s.request(ctx, port.Message{Subject: s.bucket.Info()})
	if err != nil {
		return 0, fmt.Errorf("last sequence: %w", err)
	}
	var reply struct {
		Error *apiError `json:"error"`
		State struct {
			LastSeq uint64 `json:"last_seq"`
		} `json:"state"`
		Cluster *struct {
			Name     string `json:"name"` // none: the server is in no cluster
			Leader   string `json:"leader"`
			Replicas []struct {
				Offline bool `json:"offline"`
			} `json:"replicas"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return 0, fmt.Errorf("last sequence: %w: %w", port.ErrUnavailable, err)
	}
	if reply.Error != nil {
		return 0, fmt.Errorf("last sequence: %w", reply.Error)
	}
	if reply.Cluster == nil {
		s.found("", epoch)
	}
	if c := reply.Cluster; c != nil {
		s.found(c.Name, epoch)
		online := 1 // the leader
		for _, r := range c.Replicas {
			if !r.Offline {
				online++
			}
		}
		// A server that is left alone answers too: for a bucket without a leader, or as one that leads nobody.
		if c.Leader == "" || 2*online <= len(c.Replicas)+1 {
			return 0, fmt.Errorf("last sequence: no leader, or no quorum: %w", port.ErrUnavailable)
		}
	}
	return reply.State.LastSeq, nil
}

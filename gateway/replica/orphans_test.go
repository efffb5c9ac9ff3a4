package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// purge removes a user's private documents, however young they are.
func (n *node) purge(u names.UserID) error {
	_, err := n.set.PurgePrivate(context.Background(), u, time.Now().Add(time.Minute))
	return err
}

// shown is what a user would see of a namespace.
func shown(t *testing.T, n *node, space names.Namespace, u names.UserID) string {
	t.Helper()
	v, err := n.set.Open(t.Context(), space, u)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	return string(v.Snapshot(nil))
}

// TestScanPrivate: every user with private data is named, with few reads; who has none, or none any more, is not.
func TestScanPrivate(t *testing.T) {
	for name, mesh := range map[string]bool{"store": false, "mesh": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, mesh, 2)
				defer c.stop()
				a, b := c.nodes[0], c.nodes[1]
				var want []names.UserID
				users := make([]string, 0, 1200)
				for i := range 1200 {
					u := fmt.Sprintf("u%04d", i)
					want = append(want, names.UserID(u))
					users = append(users, fmt.Sprintf(`%q:{"q":{"n_counter":1}}`, u))
				}
				for piece := range slices.Chunk(users, 300) {
					a.update(`{"private":{` + strings.Join(piece, ",") + `}}`)
				}
				a.update(`{"shared":{"q":{"n_counter":1}},"private":{"gone":{"q":{}}}}`)
				if err := b.purge("gone"); err != nil {
					t.Fatal(err)
				}
				if _, err := a.set.ChangeRecord(t.Context(), "idle", func([]byte) ([]byte, time.Duration) { return []byte(`1`), 0 }); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				var got []names.UserID
				pages := 0
				err := b.set.ScanPrivate(t.Context(), func(us []names.UserID) error {
					pages++
					got = append(got, us...)
					return nil
				})
				if slices.Sort(got); err != nil || !slices.Equal(got, want) || pages != 3 {
					t.Errorf("%d users in %d pages, %v", len(got), pages, err)
				}
				stop := errors.New("stop")
				if err := b.set.ScanPrivate(t.Context(), func([]names.UserID) error { return stop }); !errors.Is(err, stop) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// TestPurgeSparesTheYoung: what was written later than that stays, and its time is told, so that it can be purged then.
func TestPurgeSparesTheYoung(t *testing.T) {
	for name, mesh := range map[string]bool{"store": false, "mesh": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, mesh, 2)
				defer c.stop()
				a, b := c.nodes[0], c.nodes[1]
				const other = names.Namespace("desk.other")
				a.update(`{"private":{"ann":{"q":{"n_counter":5}}}}`)
				time.Sleep(time.Minute)
				written := time.Now()
				if err := a.set.Update(t.Context(), other, parse(t, `{"private":{"ann":{"r":{"n_counter":7}}}}`)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				time.Sleep(time.Second)
				kept, err := b.set.PurgePrivate(t.Context(), "ann", written)
				if err != nil || kept.Sub(written).Abs() > 100*time.Millisecond {
					t.Errorf("kept since %v, written %v, %v", kept, written, err)
				}
				synctest.Wait()
				a.open("ann").expect(t, `={}`)
				if got := shown(t, a, other, "ann"); got != `{"r":{"n_counter":7}}` {
					t.Errorf("of what was younger: %s", got)
				}
				kept, err = b.set.PurgePrivate(t.Context(), "ann", time.Now())
				if err != nil || !kept.IsZero() {
					t.Errorf("kept since %v, %v", kept, err)
				}
				synctest.Wait()
				if got := shown(t, b, other, "ann"); got != `{}` {
					t.Errorf("after the second purge: %s", got)
				}
			})
		})
	}
}

// TestPurgeMeetsAWrite: a write that comes between the look and the removal wins, and is told of.
func TestPurgeMeetsAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, b := pair(t)
		a.update(`{"private":{"ann":{"q:1":{"n_counter":5}}}}`)
		time.Sleep(time.Minute)
		b.bus.SetDelay(100 * time.Millisecond)
		var kept time.Time
		done := make(chan error, 1)
		go func() {
			var err error
			kept, err = b.set.PurgePrivate(context.Background(), "ann", time.Now())
			done <- err
		}()
		time.Sleep(150 * time.Millisecond) // it has found the document, and its removal is under way
		a.update(`{"private":{"ann":{"q:1":{"n_counter":6}}}}`)
		if err := <-done; err != nil || time.Since(kept) > time.Second {
			t.Errorf("kept since %v, %v", kept, err)
		}
		a.open("ann").expect(t, `={"q:1":{"n_counter":6}}`)
	})
}

package replica_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
)

// lives notes the keys that are told anew by each change.
type lives struct {
	mu  sync.Mutex // guards all
	got []string
}

func (l *lives) Changed(c *replica.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	anew := slices.Clone(c.Anew)
	slices.Sort(anew)
	text := string(c.Data)
	for _, k := range slices.Compact(anew) {
		text += " " + string(k)
	}
	if c.Whole {
		text += " whole"
	}
	l.got = append(l.got, text)
}

func (l *lives) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(l.got, "\n"), strings.Join(want, "\n"))
	}
	l.got = nil
}

// TestAnew: a change says which keys have become visible by it or began a new life, so that nobody joins it with what was
// told of an earlier one.
func TestAnew(t *testing.T) {
	t.Parallel()
	for _, mesh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, mesh, 1)
			defer c.stop()
			a := c.nodes[0]
			var ann, bob lives
			for u, l := range map[names.UserID]*lives{"ann": &ann, "bob": &bob} {
				client := a.open(u)
				defer client.close()
				client.view.Attach(l, nil)
				defer client.view.Detach(l)
			}
			a.update(`{"private":{"ann":{"q:1":{"own_counter":1},"q:2":{}},"bob":{"q:1":{}}}}`)
			ann.expect(t, `{"q:1":{"own_counter":1},"q:2":{}} q:1 q:2`)
			bob.expect(t, `{"q:1":{}} q:1`)
			a.update(`{"shared":{"q:1":{"n_counter":5},"q:2":{"n_counter":5}}}`)
			ann.expect(t, `{"q:1":{"n_counter":5},"q:2":{"n_counter":5}} q:1 q:2`)
			bob.expect(t, `{"q:1":{"n_counter":5}} q:1`)
			a.update(`{"shared":{"q:1":{"n_counter":6,"expires_in":"2s"},"q:2":{"n_counter":6}},"private":{"ann":{"q:1":{"own_counter":2}}}}`)
			ann.expect(t, `{"q:1":{"n_counter":6,"own_counter":2},"q:2":{"n_counter":6}}`)
			bob.expect(t, `{"q:1":{"n_counter":6}}`)

			time.Sleep(3 * time.Second) // the shared key has ended
			a.update(`{"shared":{"q:1":{"n_counter":1},"q:2":{"n_counter":7}}}`)
			ann.expect(t, `{"q:1":{"n_counter":1},"q:2":{"n_counter":7}} q:1`)
			bob.expect(t, `{"q:1":{"n_counter":1}} q:1`)
			a.update(`{"shared":{"q:1":{"n_counter":2}}}`)
			ann.expect(t, `{"q:1":{"n_counter":2}}`)
			bob.expect(t, `{"q:1":{"n_counter":2}}`)

			a.update(`{"private":{"ann":{"q:1":{"own_counter":3,"expires_in":"2s"}}}}`)
			ann.expect(t, `{"q:1":{"own_counter":3}}`)
			time.Sleep(3 * time.Second) // hers has ended
			a.update(`{"private":{"ann":{"q:1":{"own_counter":1},"q:2":{"own_counter":1}}}}`)
			ann.expect(t, `{"q:1":{"n_counter":2,"own_counter":1},"q:2":{"own_counter":1}} q:1`)

			if _, err := a.set.PurgePrivate(t.Context(), "ann", time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
			a.update(`{"private":{"ann":{"q:2":{}}}}`)
			ann.expect(t, `{"q:2":{"n_counter":7}} q:2`)
			bob.expect(t)
		})
	}
}

// TestAnewElsewhere: a key that began a new life on another node, before its end passed here, is told anew.
func TestAnewElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, a, b := pair(t)
		a.update(`{"shared":{"q:1":{"n_counter":5,"expires_in":"2s"}},"private":{"ann":{"q:1":{"own_counter":5,"expires_in":"2s"}}}}`)
		ann := b.open("ann")
		defer ann.close()
		var told lives
		ann.view.Attach(&told, nil)
		defer ann.view.Detach(&told)
		time.Sleep(3 * time.Second)
		c.lose(a)
		a.update(`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:1":{"own_counter":1}}}}`)
		c.fault.Store(nil)
		time.Sleep(6 * time.Second) // what was lost is read
		synctest.Wait()
		told.mu.Lock()
		defer told.mu.Unlock()
		if len(told.got) == 0 {
			t.Error("nothing was told")
		}
		for _, text := range told.got {
			if !strings.HasSuffix(text, " q:1") {
				t.Errorf("not anew: %s", text)
			}
		}
	})
}

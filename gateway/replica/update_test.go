package replica_test

import (
	"errors"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// TestWorkedExample is the table of protocol §8.6, on the node that is asked and on another; without the frames that
// decision D19 leaves out.
func TestWorkedExample(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 2)
		defer c.stop()
		a, b := c.nodes[0], c.nodes[1]
		a.update(`{"shared":{"q:7":{"size_counter":4}},"private":{"ann":{"q:7":{"read_counter":2,"mood_register":[12,"ok"]}}}}`)
		clients := []*client{a.open("ann"), b.open("ann")}
		expect := func(want ...string) {
			t.Helper()
			for _, x := range clients {
				x.expect(t, want...)
			}
		}
		expect(`={"q:7":{"mood_register":[12.0,"ok"],"read_counter":2,"size_counter":4}}`)
		for _, step := range []struct{ update, frame string }{
			{`{"shared":{"q:9":{"size_counter":1}}}`, ""},
			{`{"shared":{"q:9":{"size_counter":2}},"private":{"ann":{"q:9":{}}}}`, `{"q:9":{"size_counter":2}}`},
			{`{"private":{"ann":{"q:7":{"read_counter":1}}}}`, ""},
			{`{"shared":{"q:7":{"size_counter":4}}}`, ""},
			{`{"shared":{"q:7":{"tags_set":["x","y"]}}}`, `{"q:7":{"tags_set":["x","y"]}}`},
			{`{"shared":{"q:7":{"tags_set":["y","z"]}}}`, `{"q:7":{"tags_set":["y","z"]}}`},
			{
				`{"shared":{"q:7":{"size_counter":99},"q:9":{"size_counter":100}},"private":{"ann":{"q:7":{"read_counter":3}}}}`,
				`{"q:7":{"read_counter":3,"size_counter":99},"q:9":{"size_counter":100}}`,
			},
			{`{"private":{"ann":{"q:7":{"size_counter":500}}}}`, ""}, // the shared one covers it
			{`{"private":{"ann":{"q:11":{}}}}`, `{"q:11":{}}`},
		} {
			a.update(step.update)
			if step.frame == "" {
				expect()
			} else {
				expect(step.frame)
			}
		}
		time.Sleep(3 * time.Second)
		expect()
		late := b.open("ann")
		late.expect(t, `={"q:11":{},"q:7":{"mood_register":[12.0,"ok"],"read_counter":3,"size_counter":99,"tags_set":["x","y","z"]},"q:9":{"size_counter":100}}`)
	})
}

// TestOnlyVisible: nobody gets a key that he does not see (decision D19), and those who see the same share the Change.
func TestOnlyVisible(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 2)
		defer c.stop()
		a, b := c.nodes[0], c.nodes[1]
		a.update(`{"private":{"ann":{"q:1":{},"q:2":{}},"bob":{"q:1":{}},"cyd":{"q:3":{}}}}`)
		ann, bob, cyd := b.open("ann"), b.open("bob"), b.open("cyd")
		for _, x := range []*client{ann, bob, cyd} {
			x.take()
		}
		a.update(`{"shared":{"q:1":{"n_counter":1},"q:2":{"n_counter":2}}}`)
		ann.expect(t, `{"q:1":{"n_counter":1},"q:2":{"n_counter":2}}`)
		bob.expect(t, `{"q:1":{"n_counter":1}}`)
		cyd.expect(t)
		bob.close()
		a.update(`{"shared":{"q:1":{"n_counter":3}}}`)
		bob.expect(t)
		ann.expect(t, `{"q:1":{"n_counter":3}}`)
	})
}

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, false, 1)
		defer c.stop()
		c.limits.MaxKeysPerNamespace, c.limits.MaxKeysPerUser, c.limits.MaxSetSize = 3, 2, 3
		a := c.nodes[0]
		a.update(`{"shared":{"q:1":{"s_set":["a","b"]},"q:2":{"n_counter":0}},"private":{"ann":{"q:1":{},"q:2":{}}}}`)
		ann := a.open("ann")
		ann.expect(t, `={"q:1":{"s_set":["a","b"]},"q:2":{"n_counter":0}}`)
		for _, bad := range []string{
			`{"shared":{"q:1":{"s_set":["c","d"]}}}`,
			`{"shared":{"q:1":{"s_set":["c","d"],"n_counter":1},"q:2":{"n_counter":1}}}`,
			`{"shared":{"q:3":{"n_counter":0},"q:4":{"n_counter":0}}}`,
			`{"private":{"ann":{"q:3":{}}}}`,
			`{"shared":{"q:1":{"n_counter":1}},"private":{"ann":{"q:3":{}}}}`,
		} {
			if err := a.try(bad); !errors.Is(err, port.ErrLimit) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		ann.expect(t) // nothing of all that was applied
		a.update(`{"shared":{"q:3":{"n_counter":1}}}`)
		if err := a.try(`{"shared":{"q:4":{"n_counter":1}}}`); !errors.Is(err, port.ErrLimit) {
			t.Errorf("one key too many: %v", err)
		}
		a.update(`{"shared":{"q:1":{"s_set":["a","c"]}}}`)
		ann.expect(t, `{"q:1":{"s_set":["a","c"]}}`)
	})
}

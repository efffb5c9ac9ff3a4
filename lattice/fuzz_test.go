package lattice

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/port"
)

// checkSeen compares what clients see with what the twin has read.
func checkSeen(t *testing.T, k *Keys, want map[string]any) {
	t.Helper()
	text := k.AppendVars(nil)
	if err := jsontext.Check(text); err != nil {
		t.Fatalf("printed %s: %v", text, err)
	}
	got, _ := twinKeys(decode(text), false)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-twin +ours):\n%s", text, d)
	}
}

// checkRoundTrip prints and reads keys again, in the stored form.
func checkRoundTrip(t *testing.T, k *Keys) {
	t.Helper()
	text := k.AppendStored(nil)
	again, err := ParseKeys(text)
	if err != nil {
		t.Fatalf("printed %s: %v", text, err)
	}
	if !again.Equal(k) || again.Digest() != k.Digest() || !bytes.Equal(again.AppendStored(nil), text) {
		t.Fatalf("%s became %s", text, again.AppendStored(nil))
	}
	if _, changed := again.Merge(k); changed {
		t.Fatalf("%s is more than itself", text)
	}
}

var seeds = []string{
	`{"shared":{"q:7":{"size_counter":4}},"private":{"ann":{"q:7":{"read_counter":2,"mood_register":[12,"ok"]}}}}`,
	`{"shared":null,"private":{"":{"q":{}},"ann":{}},"x":[1e5]}`,
	`{"shared":{"a":{"expires_in":"1h 12m","x_set":["y","\u0041","y"]},"a":{"b_register":[-0.0,{"z":[1.5,null]}]}}}`,
	`{"q:7":{".end":1700000000000,".gen":5,"tags_set":["x","\ud83d\ude00"]},"q:9":{}}`,
	`{".end":1700000000000,".gen":5,"tags_set":["x"],"n_counter":18446744073709551615,"r_register":[1e21,"x"]}`,
	`[{},{}]`, `{"shared":{},"sh\u0061red":{}}`, `{"x_counter_set":[]}`, `{}`, `null`,
}

func FuzzParseDelta(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDelta(data, 1000, DefaultLimits()) // must not panic on unchecked text either
		if jsontext.Check(data) != nil {
			return
		}
		shared, private, ok := twinDelta(decode(data))
		if errors.Is(err, port.ErrLimit) {
			return
		}
		if ok != (err == nil) || err != nil && !errors.Is(err, port.ErrMalformed) {
			t.Fatalf("twin %v, ours: %v", ok, err)
		}
		if err != nil {
			return
		}
		checkSeen(t, d.Shared, shared)
		checkRoundTrip(t, d.Shared)
		if len(d.Private) != len(private) {
			t.Fatalf("%d users, twin has %d", len(d.Private), len(private))
		}
		for i := range d.Private {
			p := &d.Private[i]
			want, ok := private[string(p.User)].(map[string]any)
			if !ok {
				t.Fatalf("user %q from nowhere", p.User)
			}
			checkSeen(t, &p.Keys, want)
			checkRoundTrip(t, &p.Keys)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseKeys(data)
		if jsontext.Check(data) != nil {
			if !errors.Is(err, port.ErrMalformed) {
				t.Fatalf("not JSON: %v", err)
			}
			return
		}
		want, ok := twinKeys(decode(data), true)
		if ok != (err == nil) || err != nil && !errors.Is(err, port.ErrMalformed) {
			t.Fatalf("twin %v, ours: %v", ok, err)
		}
		if err == nil {
			checkSeen(t, &k, want)
			checkRoundTrip(t, &k)
		}
	})
}

func FuzzParseState(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseState(data)
		if jsontext.Check(data) != nil {
			if !errors.Is(err, port.ErrMalformed) {
				t.Fatalf("not JSON: %v", err)
			}
			return
		}
		want, ok := twinVars(decode(data), true)
		if ok != (err == nil) || err != nil && !errors.Is(err, port.ErrMalformed) {
			t.Fatalf("twin %v, ours: %v", ok, err)
		}
		if err != nil {
			return
		}
		var k Keys
		k.Put("k", s)
		checkSeen(t, &k, map[string]any{"k": want})
		checkRoundTrip(t, &k)
		if !bytes.Equal(AppendVisible(nil, &s, &s), s.AppendVars(nil)) {
			t.Fatalf("overlaid with itself: %s", AppendVisible(nil, &s, &s))
		}
	})
}

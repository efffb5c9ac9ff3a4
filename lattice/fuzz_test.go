package lattice

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/unit"
)

// tree is a JSON value as encoding/json reads it, with all members of objects in order.
type tree struct {
	object, array bool
	members       []treeMember
	elements      []tree
	scalar        any // string, json.Number, bool or nil
	raw           any // all of it as encoding/json decodes it: the last of equal members
}

type treeMember struct {
	name  string
	value tree
}

func readTree(d *json.Decoder) tree {
	token, err := d.Token()
	if err != nil {
		panic(err) // the text was checked
	}
	switch token {
	case json.Delim('{'):
		t := tree{object: true}
		last := map[string]any{}
		for d.More() {
			name, _ := d.Token()
			v := readTree(d)
			t.members = append(t.members, treeMember{name.(string), v})
			last[name.(string)] = v.raw
		}
		_, _ = d.Token()
		t.raw = last
		return t
	case json.Delim('['):
		t := tree{array: true}
		all := []any{}
		for d.More() {
			v := readTree(d)
			t.elements = append(t.elements, v)
			all = append(all, v.raw)
		}
		_, _ = d.Token()
		t.raw = all
		return t
	}
	return tree{scalar: token, raw: token}
}

var (
	identifier = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*_(counter|set|register)\z`)
	nameChars  = regexp.MustCompile(`\A[A-Za-z0-9_.:-]+\z`)
	digitsOnly = regexp.MustCompile(`\A[0-9]+\z`)
)

func goodName(s string) bool {
	return nameChars.MatchString(s) && len(names.EncodeToken(s)) <= names.MaxEncoded
}

func below(s string, bits uint) bool {
	n, ok := new(big.Int).SetString(s, 10)
	return ok && n.BitLen() <= int(bits)
}

// twinVars reads one key: what clients would see of it, and whether it keeps to the rules of protocol §8.1.
func twinVars(t tree, isStored bool) (map[string]any, bool) {
	if !t.object {
		return nil, false
	}
	vars := map[string]any{}
	for _, m := range t.members {
		kind := identifier.FindStringSubmatch(m.name)
		number, isNumber := m.value.scalar.(json.Number)
		text, isText := m.value.scalar.(string)
		switch {
		case kind == nil && m.name == "expires_in" && !isStored:
			if _, err := unit.ParseDuration(text); !isText || err != nil {
				return nil, false
			}
		case kind == nil && (m.name == ".end" || m.name == ".gen") && isStored:
			bits := uint(64)
			if m.name == ".end" {
				bits = 63
			}
			if !isNumber || !(digitsOnly.MatchString(string(number)) || number == "-0" && m.name == ".end") || !below(string(number), bits) {
				return nil, false
			}
		case kind == nil:
			return nil, false
		case kind[1] == "counter":
			if !isNumber || !digitsOnly.MatchString(string(number)) || !below(string(number), 64) {
				return nil, false
			}
			vars[m.name] = number
		case kind[1] == "set":
			set := []string{}
			for _, e := range m.value.elements {
				s, ok := e.scalar.(string)
				if !ok {
					return nil, false
				}
				set = append(set, s)
			}
			if !m.value.array {
				return nil, false
			}
			slices.Sort(set)
			vars[m.name] = slices.Compact(set)
		default:
			if len(m.value.elements) != 2 {
				return nil, false
			}
			version, ok := m.value.elements[0].scalar.(json.Number)
			if !ok {
				return nil, false
			}
			f, _ := version.Float64()
			vars[m.name] = []any{f + 0, m.value.elements[1].raw}
		}
	}
	return vars, true
}

func twinKeys(t tree, isStored bool) (map[string]any, bool) {
	if !t.object {
		return nil, false
	}
	all := map[string]any{}
	for _, m := range t.members {
		vars, ok := twinVars(m.value, isStored)
		if !ok || !goodName(m.name) {
			return nil, false
		}
		all[m.name] = vars
	}
	return all, true
}

func twinDelta(t tree) (shared, private map[string]any, ok bool) {
	if !t.object {
		return nil, nil, false
	}
	shared, private = map[string]any{}, map[string]any{}
	seen := map[string]int{}
	for _, m := range t.members {
		if m.name != "shared" && m.name != "private" {
			continue
		}
		if seen[m.name]++; seen[m.name] > 1 {
			return nil, nil, false
		}
		if m.value.raw == nil {
			continue
		}
		if m.name == "shared" {
			if shared, ok = twinKeys(m.value, false); !ok {
				return nil, nil, false
			}
			continue
		}
		if !m.value.object {
			return nil, nil, false
		}
		for _, u := range m.value.members {
			keys, ok := twinKeys(u.value, false)
			if !ok || u.name != "" && !goodName(u.name) {
				return nil, nil, false
			}
			if u.name != "" {
				private[u.name] = keys
			}
		}
	}
	return shared, private, true
}

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

func decode(text []byte) tree {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return readTree(d)
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

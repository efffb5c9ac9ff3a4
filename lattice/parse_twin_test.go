package lattice

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/unit"
)

// The rules of protocol §8.1 and §8.2 once more, on encoding/json and regular expressions.

func decode(text []byte) tree {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return readTree(d)
}

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
			if !isNumber || !digitsOnly.MatchString(string(number)) || !below(string(number), bits) {
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

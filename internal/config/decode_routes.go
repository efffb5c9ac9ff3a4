package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/routing"
)

// pairs returns a mapping from patterns to texts in the order of the patterns.
func (d *decoder) pairs(n any, path string, each func(m map[string]any, key string, s scalar)) (map[string]any, bool) {
	if !d.untagged(n, path) {
		return nil, false
	}
	m, ok := d.asMapping(n, path)
	if !ok {
		return nil, false
	}
	for _, k := range keysOf(m) {
		s, ok := m[k].(scalar)
		if !ok || s.Null != notNull {
			d.mismatch(m[k], path+"."+k, "expected string, got %s", kindOf(m[k]))
			continue
		}
		if d.untagged(s, path+"."+k) {
			each(m, k, s)
		}
	}
	return m, true
}

// rules reads the routing table. When "h" and "h/" are both there, the second replaces the first.
func (d *decoder) rules(v reflect.Value, n any, path string) {
	var rules []routing.Rule
	index := map[routing.Key]int{}
	d.pairs(n, path, func(m map[string]any, k string, s scalar) {
		key, err := routing.ParseKey(k)
		if err != nil {
			d.problems.add(decodeError, keyPos(m, k), path, "%s", err)
			return
		}
		target, err := routing.ParseTarget(s.Text)
		if err != nil {
			d.mismatch(s, path+"."+k, "%s", err)
			return
		}
		d.positions[".routing."+key.String()] = keyPos(m, k)
		if i, twice := index[key]; twice {
			rules[i].Target = target
			return
		}
		index[key] = len(rules)
		rules = append(rules, routing.Rule{Key: key, Target: target})
	})
	v.Set(reflect.ValueOf(rules))
}

// messageHandlers reads the patterns of a lattice handler.
func (d *decoder) messageHandlers(v reflect.Value, n any, path string) {
	var out []gateway.MessageHandler
	m, ok := d.pairs(n, path, func(_ map[string]any, k string, s scalar) {
		dest, err := names.ParseDestination(s.Text)
		if err != nil {
			d.mismatch(s, path+"."+k, "Invalid upstream: %s", strconv.Quote(s.Text))
			return
		}
		out = append(out, gateway.MessageHandler{Pattern: k, Destination: dest})
	})
	if _, given := m["*"]; ok && !given {
		d.mismatch(n, path, "%s", routing.ErrNoDefault)
	}
	v.Set(reflect.ValueOf(out))
}

// subjectError tells what is wrong with the subject of a NATS destination. Its first token may be none that the
// contract on NATS uses itself.
func subjectError(s string) error {
	tokens := strings.Split(s, ".")
	for _, t := range tokens {
		if t == "" || !names.IsIdentifier(t) {
			return errors.New(`expected tokens of letters, digits, "-" and "_", joined with dots`)
		}
	}
	if len(s) > names.MaxRoot {
		return errors.New("longer than " + strconv.Itoa(names.MaxRoot) + " bytes")
	}
	switch tokens[0] {
	case "top", "pub", "conn", "user", "node", "nodes", "ev", "auth", "lat":
		return errors.New("the gateway uses " + strconv.Quote(tokens[0]) + " itself")
	}
	return nil
}

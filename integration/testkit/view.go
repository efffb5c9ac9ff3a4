package testkit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// Vars are the variables of one key by wire name. A value is a *big.Int (counter), a map[string]bool (set) or a Register.
type Vars map[string]any

// Register is a last-writer-wins variable; Value is canonical JSON.
type Register struct {
	Version float64
	Value   string
}

// ParseVars reads a key's variables as they stand on the wire. Names with a dot or expires_in are not variables and left out.
func ParseVars(data json.RawMessage) (Vars, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	vars := make(Vars)
	for name, text := range raw {
		if name == "expires_in" || strings.HasPrefix(name, ".") {
			continue
		}
		value, err := parseVar(name, text)
		if err != nil {
			return nil, fmt.Errorf("variable %s = %s: %w", name, text, err)
		}
		vars[name] = value
	}
	return vars, nil
}

func parseVar(name string, text json.RawMessage) (any, error) {
	switch {
	case strings.HasSuffix(name, "_counter"):
		n, ok := new(big.Int).SetString(string(text), 10)
		if !ok {
			return nil, fmt.Errorf("no integer")
		}
		return n, nil
	case strings.HasSuffix(name, "_set"):
		var members []string
		err := json.Unmarshal(text, &members)
		set := make(map[string]bool)
		for _, m := range members {
			set[m] = true
		}
		return set, err
	case strings.HasSuffix(name, "_register"):
		var pair [2]any
		if err := json.Unmarshal(text, &pair); err != nil {
			return nil, err
		}
		version, ok := pair[0].(float64)
		if !ok {
			return nil, fmt.Errorf("the version is no number")
		}
		value, err := json.Marshal(pair[1])
		return Register{version, string(value)}, err
	}
	return nil, fmt.Errorf("no such type")
}

// merge joins a value as the original's client library does: counter greater than, set union, register strictly greater version. It
// tells whether the new value lies behind what was known, as no counter or register of an honest server does.
func (v Vars) merge(name string, value any) (behind bool) {
	switch value := value.(type) {
	case *big.Int:
		old, known := v[name].(*big.Int)
		if known && value.Cmp(old) < 0 {
			return true
		}
		v[name] = value
	case map[string]bool:
		old, known := v[name].(map[string]bool)
		union := make(map[string]bool, len(value))
		maps.Copy(union, value)
		if known {
			maps.Copy(union, old)
		}
		v[name] = union
	case Register:
		old, known := v[name].(Register)
		if known && value.Version <= old.Version {
			return value.Version < old.Version
		}
		v[name] = value
	}
	return false
}

// Text is the variables as canonical JSON.
func (v Vars) Text() string {
	out := make(map[string]any, len(v))
	for name, value := range v {
		switch value := value.(type) {
		case *big.Int:
			out[name] = json.Number(value.String())
		case map[string]bool:
			out[name] = slices.Sorted(maps.Keys(value))
		case Register:
			out[name] = []any{value.Version, json.RawMessage(value.Value)}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Keys are the keys of one namespace with their variables.
type Keys map[string]Vars

// Text is the keys as canonical JSON.
func (k Keys) Text() string {
	out := make(map[string]json.RawMessage, len(k))
	for key, vars := range k {
		out[key] = json.RawMessage(vars.Text())
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Difference says in what a text of Keys differs from the one that is wanted.
func Difference(got, want string) string {
	var a, b map[string]map[string]json.RawMessage
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return "got " + got + ", want " + want
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] == nil {
			out = append(out, key+" is missing")
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(b[key])) {
			if x, y := string(a[key][name]), string(b[key][name]); x != y {
				out = append(out, fmt.Sprintf("%s.%s is %s, want %s", key, name, x, y))
			}
		}
		for name := range a[key] {
			if b[key][name] == nil {
				out = append(out, key+"."+name+" must not be there")
			}
		}
	}
	for key := range a {
		if b[key] == nil {
			out = append(out, key+" must not be there")
		}
	}
	return strings.Join(out, "; ")
}

// Vars returns a key's variables and creates the key.
func (k Keys) Vars(key string) Vars {
	if k[key] == nil {
		k[key] = make(Vars)
	}
	return k[key]
}

// View is what a client knows of all namespaces. It may be used from any goroutine.
type View struct {
	mu     sync.Mutex // guards spaces
	spaces map[string]Keys
}

// NewView knows nothing.
func NewView() *View { return &View{spaces: make(map[string]Keys)} }

// Frame merges the data of a lattice frame. The error names a value that lies behind what the same connection was told before: a view
// that went backwards.
func (w *View) Frame(namespace string, data json.RawMessage) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spaces[namespace] == nil {
		w.spaces[namespace] = make(Keys)
	}
	var backwards error
	for key, text := range raw {
		vars, err := ParseVars(text)
		if err != nil {
			return fmt.Errorf("key %s: %w", key, err)
		}
		known := w.spaces[namespace].Vars(key)
		for name, value := range vars {
			if known.merge(name, value) && backwards == nil {
				backwards = fmt.Errorf("went backwards: %s.%s is %s after %s", key, name, text, known.Text())
			}
		}
	}
	return backwards
}

// Text is a namespace as canonical JSON.
func (w *View) Text(namespace string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spaces[namespace].Text()
}

// Lacks says what of an earlier view this one lacks, empty when it lacks nothing: keys and variables that vanished, counters that fell,
// sets that shrank, registers that went back or have another value with the same version. Both must be of one user; a key that has
// ended between the two is lacking, too.
func (w *View) Lacks(earlier *View) []string {
	earlier.mu.Lock()
	defer earlier.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	var lacking []string
	for _, namespace := range slices.Sorted(maps.Keys(earlier.spaces)) {
		for _, key := range slices.Sorted(maps.Keys(earlier.spaces[namespace])) {
			vars, known := w.spaces[namespace][key]
			if !known {
				lacking = append(lacking, fmt.Sprintf("%s: the key %s vanished", namespace, key))
				continue
			}
			for _, what := range vars.lacks(earlier.spaces[namespace][key]) {
				lacking = append(lacking, fmt.Sprintf("%s: %s.%s", namespace, key, what))
			}
		}
	}
	return lacking
}

func (v Vars) lacks(earlier Vars) (lacking []string) {
	for _, name := range slices.Sorted(maps.Keys(earlier)) {
		switch was := earlier[name].(type) {
		case *big.Int:
			if now, known := v[name].(*big.Int); !known || now.Cmp(was) < 0 {
				lacking = append(lacking, fmt.Sprintf("%s was %v and is %v", name, was, v[name]))
			}
		case map[string]bool:
			now, _ := v[name].(map[string]bool)
			for _, member := range slices.Sorted(maps.Keys(was)) {
				if !now[member] {
					lacking = append(lacking, fmt.Sprintf("%s has lost %q", name, member))
				}
			}
			if len(was) == 0 && now == nil {
				lacking = append(lacking, name+" vanished")
			}
		case Register:
			now, known := v[name].(Register)
			if !known || now.Version < was.Version || now.Version == was.Version && now.Value != was.Value {
				lacking = append(lacking, fmt.Sprintf("%s was %v and is %v", name, was, v[name]))
			}
		}
	}
	return lacking
}

// Join merges another view into this one, as the client library does over reconnections.
func (w *View) Join(other *View) {
	other.mu.Lock()
	defer other.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for namespace, keys := range other.spaces {
		if w.spaces[namespace] == nil {
			w.spaces[namespace] = make(Keys)
		}
		for key, vars := range keys {
			known := w.spaces[namespace].Vars(key)
			for name, value := range vars {
				known.merge(name, value)
			}
		}
	}
}

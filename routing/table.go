package routing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Rule is one configured route.
type Rule struct {
	Key    Key
	Target Target
}

// Route is what a table holds for one key: the rule with the authorizer that is in effect, after inheritance.
type Route struct {
	Key Key
	// Handler is DefaultHandler where the rule for a host is missing.
	Handler string
	// Authorizer is never empty: DefaultAuthorizer where none is named.
	Authorizer string
	// Implicit says that no rule stands for this route: the host has only rules for paths, or for itself but not for
	// its subdomains.
	Implicit bool
}

// Table finds the value of the route for a host and a request target. It is immutable.
type Table[T any] struct {
	hosts   map[string]*host[T]
	lengths []int     // of the host texts, each once, longest first
	any     *paths[T] // nil without a rule for "*"
}

// host holds the routes of one host text. Both sides exist unless only "*.HOST" has rules: then exact is nil and star
// stands for the host itself, too.
type host[T any] struct {
	exact *paths[T]
	star  *paths[T]
}

// Match is the outcome of a lookup.
type Match[T any] struct {
	Value T
	// Prefix is the matched path of the route, empty for a route of a whole host.
	Prefix string
	// Suffix is what follows the prefix in the target, query included.
	Suffix string
}

// NewTable builds a table. For each route, explicit or implicit, bind makes the value that lookups return; its errors
// and those of the rules are joined, each with its route.
func NewTable[T any](rules []Rule, bind func(Route) (T, error)) (*Table[T], error) {
	t := &Table[T]{hosts: make(map[string]*host[T])}
	var errs []error
	seen := make(map[Key]bool, len(rules))
	for _, r := range rules {
		if seen[r.Key] {
			errs = append(errs, fmt.Errorf("route %q: %w", r.Key, ErrDuplicate))
		}
		seen[r.Key] = true
	}
	for _, r := range Effective(rules) {
		v, err := bind(r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.side(r.Key).add(r.Key.Path, v)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// side returns the paths of a key's host, making them when needed.
func (t *Table[T]) side(k Key) *paths[T] {
	if k.Any {
		if t.any == nil {
			t.any = newPaths[T]()
		}
		return t.any
	}
	h := t.hosts[k.Host]
	if h == nil {
		h = &host[T]{}
		t.hosts[k.Host] = h
		t.lengths = insertLength(t.lengths, len(k.Host))
	}
	p := &h.exact
	if k.Star {
		p = &h.star
	}
	if *p == nil {
		*p = newPaths[T]()
	}
	return *p
}

// Lookup finds the route of a request. The host is without port; the target is raw, with its query. It is not found
// when no host of the table matches; once a host has matched there is always a route, be it the implicit one
// (configuration §3.3). It allocates nothing.
func (t *Table[T]) Lookup(hostname, target string) (Match[T], bool) {
	p := t.host(hostname)
	if p == nil {
		return Match[T]{}, false
	}
	return p.lookup(target), true
}

// host chooses the one host entry: the exact one, else that of the nearest parent domain, else "*".
func (t *Table[T]) host(name string) *paths[T] {
	if h := t.hosts[name]; h != nil {
		if h.exact != nil {
			return h.exact
		}
		return h.star
	}
	for _, n := range t.lengths {
		if i := len(name) - n; i > 0 && name[i-1] == '.' {
			if h := t.hosts[name[i:]]; h != nil {
				return h.star
			}
		}
	}
	return t.any
}

// paths holds the routes of one host entry by path prefix.
type paths[T any] struct {
	root     T
	prefixes map[string]entry[T]
	lengths  []int // of the prefixes, each once, longest first
}

// entry keeps the prefix beside the value, so that a match returns the table's own string.
type entry[T any] struct {
	prefix string
	value  T
}

func newPaths[T any]() *paths[T] { return &paths[T]{prefixes: make(map[string]entry[T])} }

func (p *paths[T]) add(prefix string, v T) {
	if prefix == "" {
		p.root = v
		return
	}
	p.prefixes[prefix] = entry[T]{prefix, v}
	p.lengths = insertLength(p.lengths, len(prefix))
}

// insertLength adds n to a descending list unless it is there. Lookups try lengths instead of every dot or slash of
// what a client sent, so that hostile names cost no more than others.
func insertLength(list []int, n int) []int {
	i, found := slices.BinarySearchFunc(list, n, func(a, b int) int { return cmp.Compare(b, a) })
	if found {
		return list
	}
	return slices.Insert(list, i, n)
}

func (p *paths[T]) lookup(target string) Match[T] {
	for _, n := range p.lengths {
		if n > len(target) || n < len(target) && !boundary(target[n]) {
			continue
		}
		if e, ok := p.prefixes[target[:n]]; ok {
			return Match[T]{Value: e.value, Prefix: e.prefix, Suffix: target[n:]}
		}
	}
	return Match[T]{Value: p.root, Suffix: target}
}

// boundary tells whether a prefix may end before c.
func boundary(c byte) bool { return c == '/' || c == '?' || c == '#' }

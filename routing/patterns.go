package routing

import (
	"errors"
	"strings"
)

// ErrNoDefault says that a set of patterns lacks "*".
var ErrNoDefault = errors.New("No default route") //nolint:staticcheck // the text is known from the original

// Patterns finds the value for a method name. It is immutable.
type Patterns[T any] struct {
	exact    map[string]T
	globs    map[string]T // by the text before "*", which ends in a dot
	fallback T
}

// NewPatterns builds the table of some patterns: "*" takes every method, "desk.*" those below "desk.", everything else
// one method exactly, even with a star elsewhere (protocol §5). Without "*" it fails with ErrNoDefault.
func NewPatterns[T any](patterns map[string]T) (*Patterns[T], error) {
	p := &Patterns[T]{exact: make(map[string]T), globs: make(map[string]T)}
	fallback, ok := patterns["*"]
	if !ok {
		return nil, ErrNoDefault
	}
	p.fallback = fallback
	for text, v := range patterns {
		switch {
		case text == "*":
		case strings.HasSuffix(text, ".*"):
			p.globs[text[:len(text)-1]] = v
		default:
			p.exact[text] = v
		}
	}
	return p, nil
}

// Lookup finds the value for a method: the exact pattern, else the longest glob, else "*". It allocates nothing.
func (p *Patterns[T]) Lookup(method string) T {
	if v, ok := p.exact[method]; ok {
		return v
	}
	if len(p.globs) == 0 {
		return p.fallback
	}
	// A glob takes only longer names: a dot at the very end does not count.
	for i := len(method) - 2; i >= 0; i-- {
		if method[i] != '.' {
			continue
		}
		if v, ok := p.globs[method[:i+1]]; ok {
			return v
		}
	}
	return p.fallback
}

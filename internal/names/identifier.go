package names

import (
	"fmt"
	"strings"
)

// Pool is the name of a session pool: [A-Za-z0-9_-]+, at most MaxRoot bytes.
type Pool string

// ParsePool checks the name of a session pool. The empty one is refused (decision D5).
func ParsePool(s string) (Pool, error) {
	if s == "" || !all(s, plain) {
		return "", fmt.Errorf("session pool: %w", ErrSyntax)
	}
	if len(s) > MaxRoot {
		return "", fmt.Errorf("session pool: %w", ErrTooLong)
	}
	return Pool(s), nil
}

// IsIdentifier tells whether s may name a handler, an authorizer, a destination, a network … in the configuration:
// ASCII letters, digits, "-" and "_" (configuration §2.7; the empty string passes, as in the original).
func IsIdentifier(s string) bool { return all(s, plain) }

// Destination is a reference to an upstream destination with the path to put before the request's: "NAME" or
// "NAME/PATH". Path always begins with a slash; it is "/" when the reference has none.
type Destination struct {
	Name string
	Path string
}

// ParseDestination splits a reference at its first slash. The name must be an identifier and not empty.
func ParseDestination(s string) (Destination, error) {
	name, path, ok := strings.Cut(s, "/")
	if !IsIdentifier(name) || name == "" {
		return Destination{}, fmt.Errorf("destination %q: %w", s, ErrSyntax)
	}
	if !ok {
		return Destination{Name: name, Path: "/"}, nil
	}
	return Destination{Name: name, Path: "/" + path}, nil
}

// Prefix is what is put before a request's path: nothing for "/", the path verbatim otherwise (protocol §2.2).
func (d Destination) Prefix() string {
	if d.Path == "/" {
		return ""
	}
	return d.Path
}

// String is the reference in its shortest spelling.
func (d Destination) String() string { return d.Name + d.Prefix() }

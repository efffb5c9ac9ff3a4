package routing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// Names that need not be configured.
const (
	// DefaultHandler is the handler of a host whose routes all miss.
	DefaultHandler = "default"
	// DefaultAuthorizer is the authorizer where no route names one.
	DefaultAuthorizer = "default"
)

// Errors of routes, to be told apart with errors.Is.
var (
	// ErrNoHandler says that a route names no handler.
	ErrNoHandler = errors.New("handler is required")
	// ErrTwoHandlers says that a route names more than one handler.
	ErrTwoHandlers = errors.New("two handlers")
	// ErrTwoAuthorizers says that a route names more than one authorizer.
	ErrTwoAuthorizers = errors.New("two authorizers")
	// ErrToken says that a route's value holds something else than names.
	ErrToken = errors.New("unexpected token")
	// ErrTrailingSlash says that a route's path ends in a slash.
	ErrTrailingSlash = errors.New("path must not end with /")
	// ErrDuplicate says that two routes have one key.
	ErrDuplicate = errors.New("duplicate route")
)

// textError is an error whose text the users of configuration files know, and whose kind errors.Is finds.
type textError struct {
	text string
	kind error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.kind }

// Key is the left side of a route: which host and which paths of it.
type Key struct {
	// Host is the host's text without "*." for star hosts. It is compared as it stands.
	Host string
	// Star says that the key is "*.Host"; with Any it is not set.
	Star bool
	// Any says that the key is "*": every host that no other key takes.
	Any bool
	// Path is the prefix, beginning with a slash and not ending in one; empty for the whole host.
	Path string
}

// ParseKey reads "HOST", "HOST/" or "HOST/some/path" (configuration §3.1). The host is not checked: one that no
// request can have never matches. "h" and "h/" are the same key.
func ParseKey(s string) (Key, error) {
	host, path, slash := strings.Cut(s, "/")
	var k Key
	switch {
	case host == "*":
		k.Any = true
	case strings.HasPrefix(host, "*."):
		k.Star = true
		k.Host = host[len("*."):]
	default:
		k.Host = host
	}
	if slash && path != "" {
		if strings.HasSuffix(path, "/") {
			return Key{}, &textError{fmt.Sprintf("Path must not end with / in %q", s), ErrTrailingSlash}
		}
		k.Path = "/" + path
	}
	return k, nil
}

// HostText is the host as it is written in a key.
func (k Key) HostText() string {
	switch {
	case k.Any:
		return "*"
	case k.Star:
		return "*." + k.Host
	}
	return k.Host
}

// String is the key as it is written in the configuration.
func (k Key) String() string { return k.HostText() + k.Path }

// Target is the right side of a route: names of a handler and of an authorizer.
type Target struct {
	Handler string
	// Authorizer is empty when the route names none; see Route for what it inherits.
	Authorizer string
}

// ParseTarget reads a handler's name and optionally "@" with an authorizer's, in any order (configuration §3.2). The
// blank before "@" may be missing.
func ParseTarget(s string) (Target, error) {
	var t Target
	var handler, authorizer bool
	for tok := range strings.FieldsSeq(s) {
		h, a, at := strings.Cut(tok, "@")
		switch {
		case !names.IsIdentifier(h), !names.IsIdentifier(a), at && a == "":
			return Target{}, &textError{fmt.Sprintf("Unexpected token %q", tok), ErrToken}
		case h != "" && handler:
			return Target{}, &textError{fmt.Sprintf("Two handlers %q and %q", t.Handler, h), ErrTwoHandlers}
		case at && authorizer:
			return Target{}, &textError{fmt.Sprintf("Two authorizers %q and %q", t.Authorizer, a), ErrTwoAuthorizers}
		}
		if h != "" {
			t.Handler, handler = h, true
		}
		if at {
			t.Authorizer, authorizer = a, true
		}
	}
	if !handler {
		return Target{}, ErrNoHandler
	}
	return t, nil
}

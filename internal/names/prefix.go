package names

import (
	"fmt"
	"slices"
	"strings"
)

// Prefix is the first token of all of this installation's subjects and bucket names: [A-Za-z0-9-]+, at most MaxRoot
// bytes. It has no underscore, because that separates the parts of a bucket's name.
type Prefix string

// ParsePrefix checks a prefix.
func ParsePrefix(s string) (Prefix, error) {
	if s == "" || strings.Contains(s, "_") || !all(s, plain) {
		return "", fmt.Errorf("prefix %q: %w", s, ErrSyntax)
	}
	if len(s) > MaxRoot {
		return "", fmt.Errorf("prefix: %w", ErrTooLong)
	}
	return Prefix(s), nil
}

// All is the wildcard of everything below the prefix.
func (p Prefix) All() string { return string(p) + ".>" }

// BackendPublishes are the wildcards of all that backends may send, in every session pool: messages to topics, requests
// to the nodes, commands for connections and users.
func (p Prefix) BackendPublishes() []string {
	return p.inPools(".top.>", ".pub.>", ".api.>", ".conn.>", ".user.>")
}

// BackendHears are the wildcards of what every backend may listen to without a queue group.
func (p Prefix) BackendHears() []string { return p.inPools(".ev.>") }

// BackendServes are the wildcards of the calls that a backend may take as a member of the queue group, for the subject
// of each NATS destination and for the reserved calls.
func (p Prefix) BackendServes(bases []string) []string {
	kinds := []string{".auth.>"}
	for _, b := range bases {
		if k := "." + EncodePath(b) + ".>"; !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return p.inPools(kinds...)
}

func (p Prefix) inPools(kinds ...string) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(p) + ".*" + k
	}
	return out
}

// Queue is the queue group in which all backends serve calls: with one name, each call is executed once.
const Queue = "q"

// NodeQueue is the queue group in which nodes serve the requests of backends.
const NodeQueue = "gw"

// kinds are the second parts of a pool's subjects that mean something to nodes. No destination may use them.
var kinds = []string{"top", "pub", "api", "lat", "conn", "user", "node", "nodes", "load", "ev", "auth"}

// CheckBase tells whether s may be the subject of a NATS destination: one to eight non-empty tokens of [A-Za-z0-9_-],
// at most MaxMethod bytes, the first of which no node listens to (ErrReserved).
func CheckBase(s string) error {
	if !Method(s).OnNATS() {
		return fmt.Errorf("subject %q: %w", s, ErrSyntax)
	}
	first, _, _ := strings.Cut(s, ".")
	if slices.Contains(kinds, first) {
		return fmt.Errorf("subject %q: %w", s, ErrReserved)
	}
	return nil
}

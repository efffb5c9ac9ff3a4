package names

import (
	"fmt"
	"strings"
)

// Topic is the dotted name of a publish-subscribe channel of one session pool, such as "rooms.red": [A-Za-z0-9_.:-]+,
// at most MaxEncoded bytes encoded (protocol §6.2).
type Topic string

// ParseTopicPath reads a topic as it stands in a URL, "rooms/red". Dots are refused: the slash is the separator there.
func ParseTopicPath(path string) (Topic, error) {
	s, err := dotted(path)
	if err != nil {
		return "", err
	}
	return ParseTopic(s)
}

// ParseTopic reads a topic in its dotted form.
func ParseTopic(s string) (Topic, error) {
	if s == "" || !all(s, topicChar) {
		return "", fmt.Errorf("topic: %w", ErrSyntax)
	}
	if len(EncodePath(s)) > MaxEncoded {
		return "", fmt.Errorf("topic: %w", ErrTooLong)
	}
	return Topic(s), nil
}

// Namespace is the dotted name of a lattice: [A-Za-z0-9_.-]+, at most MaxEncoded bytes encoded as one token.
type Namespace string

// ParseNamespacePath reads a namespace as it stands in a URL. Names below "swindon." belong to the gateway: they are
// returned together with ErrReserved.
func ParseNamespacePath(path string) (Namespace, error) {
	s, err := dotted(path)
	if err != nil {
		return "", err
	}
	return ParseNamespace(s)
}

// ParseNamespace reads a namespace in its dotted form, as it stands in frames and subjects. Names below "swindon." are
// returned together with ErrReserved.
func ParseNamespace(s string) (Namespace, error) {
	if s == "" || !all(s, func(c byte) bool { return plain(c) || c == '.' }) {
		return "", fmt.Errorf("namespace: %w", ErrSyntax)
	}
	if strings.HasPrefix(s, "swindon.") {
		return Namespace(s), fmt.Errorf("namespace: %w", ErrReserved)
	}
	if len(EncodeToken(s)) > MaxEncoded {
		return "", fmt.Errorf("namespace: %w", ErrTooLong)
	}
	return Namespace(s), nil
}

func topicChar(c byte) bool { return plain(c) || c == '.' || c == ':' }

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// dotted turns the path form of a name into the dotted one.
func dotted(path string) (string, error) {
	if strings.Contains(path, ".") {
		return "", fmt.Errorf("%w: dot in a path", ErrSyntax)
	}
	return strings.ReplaceAll(path, "/", "."), nil
}

package names

import (
	"fmt"
	"strconv"
	"strings"
)

// Space builds and reads all NATS subjects of one session pool. Its root is "<prefix>.<pool>"; the subjects below it
// are those of the contract in docs/protocol/nats.md. The zero value is useless.
type Space struct{ root string }

// NewSpace checks prefix and pool as ParsePrefix and ParsePool do and returns the pool's subjects.
func NewSpace(prefix string, pool Pool) (Space, error) {
	if _, err := ParsePrefix(prefix); err != nil {
		return Space{}, err
	}
	if _, err := ParsePool(string(pool)); err != nil {
		return Space{}, err
	}
	return Space{root: prefix + "." + string(pool)}, nil
}

// Root is the subject under which all of the pool's subjects lie.
func (s Space) Root() string { return s.root }

// Topic is where a topic's messages are published for all nodes.
func (s Space) Topic(t Topic) string { return s.root + ".top." + EncodePath(string(t)) }

// Topics is the wildcard of all topics.
func (s Space) Topics() string { return s.root + ".top.>" }

// IsTopic tells whether Topics matches a subject.
func (s Space) IsTopic(subject string) bool {
	_, ok := s.tail(subject, ".top.")
	return ok
}

func (s Space) tail(subject, kind string) (string, bool) {
	below, ok := strings.CutPrefix(subject, s.root)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(below, kind)
}

// ParseTopic reads the topic out of a subject that Topics matches.
func (s Space) ParseTopic(subject string) (Topic, error) { return s.path(subject, ".top.") }

// Publish is where backends ask for an acknowledged publish.
func (s Space) Publish(t Topic) string { return s.root + ".pub." + EncodePath(string(t)) }

// Publishes is the wildcard of all acknowledged publishes.
func (s Space) Publishes() string { return s.root + ".pub.>" }

// ParsePublish reads the topic out of a subject that Publishes matches.
func (s Space) ParsePublish(subject string) (Topic, error) { return s.path(subject, ".pub.") }

func (s Space) path(subject, kind string) (Topic, error) {
	tail, ok := s.tail(subject, kind)
	if !ok {
		return "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	if len(tail) <= MaxEncoded && simple(tail) {
		return Topic(tail), nil // what every message goes through
	}
	d, err := DecodePath(tail)
	if err != nil {
		return "", err
	}
	return ParseTopic(d)
}

// Call is where a method of a NATS destination is served; base is the destination's subject, usually "rpc". It is
// false for methods that may not travel over NATS (decision D4).
func (s Space) Call(base string, m Method) (string, bool) {
	if !m.OnNATS() {
		return "", false
	}
	return s.root + "." + EncodePath(base) + "." + string(m), true
}

// Auth is where one of the reserved calls is served.
func (s Space) Auth(call string) string { return s.root + ".auth." + EncodeToken(call) }

// Conn is where the owner of a connection takes a command for it.
func (s Space) Conn(id ConnID, op string) string {
	return s.root + ".conn." + EncodeToken(string(id.Node)) + "." + strconv.FormatUint(id.N, 10) + "." + EncodeToken(op)
}

// Conns is the wildcard of all commands for connections of one node.
func (s Space) Conns(node NodeID) string { return s.root + ".conn." + EncodeToken(string(node)) + ".>" }

// ParseConn reads connection and operation out of a subject that Conns matches.
func (s Space) ParseConn(subject string) (ConnID, string, error) {
	tail, ok := strings.CutPrefix(subject, s.root+".conn.")
	parts := strings.Split(tail, ".")
	if !ok || len(parts) != 3 {
		return ConnID{}, "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	id, err := ParseConnID(parts[0] + "-" + parts[1])
	if err != nil {
		return ConnID{}, "", err
	}
	op, err := DecodeToken(parts[2])
	return id, op, err
}

// User is where all nodes take a command for all connections of a user.
func (s Space) User(u UserID, op string) string {
	return s.root + ".user." + EncodeToken(string(u)) + "." + EncodeToken(op)
}

// Users is the wildcard of all commands for users.
func (s Space) Users() string { return s.root + ".user.>" }

// ParseUser reads user and operation out of a subject that Users matches.
func (s Space) ParseUser(subject string) (UserID, string, error) {
	tail, ok := strings.CutPrefix(subject, s.root+".user.")
	user, op, two := strings.Cut(tail, ".")
	if !ok || !two {
		return "", "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	d, err := DecodeToken(user)
	if err != nil {
		return "", "", err
	}
	id, err := ParseUserID(d)
	if err != nil {
		return "", "", err
	}
	op, err = DecodeToken(op)
	return id, op, err
}

// Node is where one node takes a request that concerns it alone.
func (s Space) Node(node NodeID, op string) string {
	return s.root + ".node." + EncodeToken(string(node)) + "." + EncodeToken(op)
}

// NodeRequests is the wildcard of all requests to one node.
func (s Space) NodeRequests(node NodeID) string {
	return s.root + ".node." + EncodeToken(string(node)) + ".>"
}

// Nodes is where every node hears op, such as "beat" or "ping".
func (s Space) Nodes(op string) string { return s.root + ".nodes." + EncodeToken(op) }

// Origin stands as the reply subject of a node's messages of topics and says from whom they are. Nobody listens there.
func (s Space) Origin(node NodeID) string { return s.root + ".from." + EncodeToken(string(node)) }

// Event is where facts about connections and users are told to whoever listens. Lossy.
func (s Space) Event(name string) string { return s.root + ".ev." + EncodeToken(name) }

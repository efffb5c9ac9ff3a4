package names

import (
	"fmt"
	"strconv"
	"strings"
)

// NodeID is the id of one running process: 32 characters of [0-9A-Za-z_-] (protocol §11.1, decision D2).
type NodeID string

// ParseNodeID checks a node id.
func ParseNodeID(s string) (NodeID, error) {
	if len(s) != 32 || !all(s, plain) {
		return "", fmt.Errorf("node id: %w", ErrSyntax)
	}
	return NodeID(s), nil
}

// ConnID names one websocket connection in the whole cluster: the node that owns it and a number that this node never
// gives twice.
type ConnID struct {
	Node NodeID
	N    uint64
}

// ParseConnID reads "<node id>-<decimal>". The node id may hold dashes itself: the last one splits. Signs are
// refused, leading zeros are not (as in the original).
func ParseConnID(s string) (ConnID, error) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return ConnID{}, fmt.Errorf("connection id: %w", ErrSyntax)
	}
	node, err := ParseNodeID(s[:i])
	if err != nil {
		return ConnID{}, fmt.Errorf("connection id: %w", err)
	}
	num := s[i+1:]
	if !all(num, func(c byte) bool { return c >= '0' && c <= '9' }) {
		return ConnID{}, fmt.Errorf("connection id: %w", ErrSyntax)
	}
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil {
		return ConnID{}, fmt.Errorf("connection id: %w", ErrSyntax)
	}
	return ConnID{Node: node, N: n}, nil
}

// String is the form that clients and backends see.
func (c ConnID) String() string { return string(c.Node) + "-" + strconv.FormatUint(c.N, 10) }

// AppendTo appends String to b without allocating.
func (c ConnID) AppendTo(b []byte) []byte {
	b = append(b, c.Node...)
	b = append(b, '-')
	return strconv.AppendUint(b, c.N, 10)
}

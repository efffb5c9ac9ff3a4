package names

import (
	"fmt"
	"strings"
)

// Key names one entry of a lattice's namespace, such as "q:7": [A-Za-z0-9_.:-]+, at most MaxEncoded bytes encoded as
// one token (protocol §8.1).
type Key string

// ParseKey checks a lattice key.
func ParseKey(s string) (Key, error) {
	if s == "" || !all(s, topicChar) {
		return "", fmt.Errorf("key: %w", ErrSyntax)
	}
	if len(EncodeToken(s)) > MaxEncoded {
		return "", fmt.Errorf("key: %w", ErrTooLong)
	}
	return Key(s), nil
}

// Lattice is where nodes announce what has changed in a namespace.
func (s Space) Lattice(ns Namespace) string { return s.root + ".lat." + EncodeToken(string(ns)) }

// Record is where nodes announce the record of a user.
func (s Space) Record(u UserID) string { return s.root + ".lat.idle." + EncodeToken(string(u)) }

// Announcements is the wildcard of both.
func (s Space) Announcements() string { return s.root + ".lat.>" }

// ParseAnnouncement reads a subject that Announcements matches: either a namespace or a user is returned.
func (s Space) ParseAnnouncement(subject string) (ns Namespace, user UserID, err error) {
	tail, ok := strings.CutPrefix(subject, s.root+".lat.")
	if !ok {
		return "", "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	first, second, two := strings.Cut(tail, ".")
	if !two {
		d, err := DecodeToken(first)
		if err != nil {
			return "", "", err
		}
		ns, err = ParseNamespace(d)
		return ns, "", err
	}
	d, err := DecodeToken(second)
	if err != nil || first != "idle" {
		return "", "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	user, err = ParseUserID(d)
	return "", user, err
}

// UpdateLattice is where backends ask for an acknowledged update of a namespace.
func (s Space) UpdateLattice(ns Namespace) string {
	return s.root + ".api.lattice." + EncodeToken(string(ns))
}

// LatticeUpdates is the wildcard of all acknowledged updates.
func (s Space) LatticeUpdates() string { return s.root + ".api.lattice.*" }

// ParseLatticeUpdate reads the namespace out of a subject that LatticeUpdates matches.
func (s Space) ParseLatticeUpdate(subject string) (Namespace, error) {
	return s.namespace(subject, ".api.lattice.")
}

// Load is where the nodes of a mesh ask each other for documents of a namespace.
func (s Space) Load(ns Namespace) string { return s.root + ".load." + EncodeToken(string(ns)) }

// Loads is the wildcard of all of them.
func (s Space) Loads() string { return s.root + ".load.>" }

// ParseLoad reads the namespace out of a subject that Loads matches.
func (s Space) ParseLoad(subject string) (Namespace, error) { return s.namespace(subject, ".load.") }

func (s Space) namespace(subject, kind string) (Namespace, error) {
	tail, ok := strings.CutPrefix(subject, s.root+kind)
	if !ok {
		return "", fmt.Errorf("subject %q: %w", subject, ErrSyntax)
	}
	d, err := DecodeToken(tail)
	if err != nil {
		return "", err
	}
	return ParseNamespace(d)
}

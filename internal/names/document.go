package names

import (
	"fmt"
	"strings"
)

// DocKind is what a document in a session pool's bucket holds.
type DocKind uint8

// The kinds of documents.
const (
	// SharedDoc holds the variables of one shared key of a namespace: "<ns>.s.<key>".
	SharedDoc DocKind = iota + 1
	// PrivateDoc holds all private keys of one user in a namespace: "<ns>.p.<uid>".
	PrivateDoc
	// RecordDoc holds whether a user is there: "idle.<uid>".
	RecordDoc
)

// Doc names one document of a session pool. The fields that its kind does not use are empty. It is comparable.
type Doc struct {
	Kind      DocKind
	Namespace Namespace
	Key       Key
	User      UserID
}

// SharedOf names the document of a shared key.
func SharedOf(ns Namespace, k Key) Doc { return Doc{Kind: SharedDoc, Namespace: ns, Key: k} }

// PrivateOf names the document of a user's private keys.
func PrivateOf(ns Namespace, u UserID) Doc { return Doc{Kind: PrivateDoc, Namespace: ns, User: u} }

// RecordOf names the record of a user.
func RecordOf(u UserID) Doc { return Doc{Kind: RecordDoc, User: u} }

// StoreKey is the document's key in the bucket. No two documents have the same: a record's has two tokens, the others
// have three.
func (d Doc) StoreKey() string {
	switch d.Kind {
	case SharedDoc:
		return EncodeToken(string(d.Namespace)) + ".s." + EncodeToken(string(d.Key))
	case PrivateDoc:
		return EncodeToken(string(d.Namespace)) + ".p." + EncodeToken(string(d.User))
	default:
		return "idle." + EncodeToken(string(d.User))
	}
}

// ParseStoreKey is the inverse of StoreKey.
func ParseStoreKey(key string) (Doc, error) {
	parts := strings.Split(key, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return Doc{}, fmt.Errorf("document %q: %w", key, ErrSyntax)
	}
	name, err := DecodeToken(parts[len(parts)-1])
	if err != nil {
		return Doc{}, err
	}
	if len(parts) == 2 {
		if parts[0] != "idle" {
			return Doc{}, fmt.Errorf("document %q: %w", key, ErrSyntax)
		}
		u, err := ParseUserID(name)
		return Doc{Kind: RecordDoc, User: u}, err
	}
	d, err := DecodeToken(parts[0])
	if err != nil {
		return Doc{}, err
	}
	ns, err := ParseNamespace(d)
	if err != nil {
		return Doc{}, err
	}
	switch parts[1] {
	case "s":
		k, err := ParseKey(name)
		return SharedOf(ns, k), err
	case "p":
		u, err := ParseUserID(name)
		return PrivateOf(ns, u), err
	}
	return Doc{}, fmt.Errorf("document %q: %w", key, ErrSyntax)
}

// Filters of the bucket's keys.
const (
	AllDocs    = ">"
	AllRecords = "idle.*"
	AllShared  = "*.s.*"
	AllPrivate = "*.p.*"
)

// SharedIn is the filter of all shared documents of a namespace.
func SharedIn(ns Namespace) string { return EncodeToken(string(ns)) + ".s.*" }

// PrivateFor is the filter of all private documents of a user.
func PrivateFor(u UserID) string { return "*.p." + EncodeToken(string(u)) }

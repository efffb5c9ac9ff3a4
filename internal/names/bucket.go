package names

import (
	"fmt"
	"strings"
)

// Bucket is the name of a bucket of keys and values: one for each session pool, and one for the liveness of nodes.
type Bucket string

// Lattices is the bucket of a session pool's documents.
func (p Prefix) Lattices(pool Pool) Bucket { return Bucket(string(p) + "_" + string(pool) + "_lat") }

// NodesBucket is the bucket in which nodes show that they live. It is one of its own, so that renewals take no
// sequence numbers among the documents.
func (p Prefix) NodesBucket() Bucket { return Bucket(string(p) + "_nodes") }

// Stream is the name of the JetStream stream that holds the bucket.
func (b Bucket) Stream() string { return "KV_" + string(b) }

// Keys is the wildcard of all keys' subjects.
func (b Bucket) Keys() string { return "$KV." + string(b) + ".>" }

// Key is where a value is written. A key is one or more tokens of EncodeToken, joined with dots, 1,024 bytes at most.
func (b Bucket) Key(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return "$KV." + string(b) + "." + key, nil
}

// DirectGet is where the last value of a key is asked for, of any replica.
func (b Bucket) DirectGet(key string) (string, error) {
	subject, err := b.Key(key)
	if err != nil {
		return "", err
	}
	return "$JS.API.DIRECT.GET." + b.Stream() + "." + subject, nil
}

// LeaderGet is where the last message of any key is asked for, of the stream's leader.
func (b Bucket) LeaderGet() string { return "$JS.API.STREAM.MSG.GET." + b.Stream() }

// MaxKey is the longest key, in bytes.
const MaxKey = 1024

func checkKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key: %w", ErrTooLong)
	}
	for token := range strings.SplitSeq(key, ".") {
		if token == "" || !all(token, func(c byte) bool { return plain(c) || c == '=' }) {
			return fmt.Errorf("key %q: %w", key, ErrSyntax)
		}
	}
	return nil
}

// Filter is the wildcard of some keys' subjects; pattern has tokens as a key, or "*", or ">" at its end.
func (b Bucket) Filter(pattern string) string { return "$KV." + string(b) + "." + pattern }

// KeyOf is the key that a value's subject names; false when it is none of this bucket.
func (b Bucket) KeyOf(subject string) (string, bool) {
	return strings.CutPrefix(subject, "$KV."+string(b)+".")
}

// AnyDirectGet is where several values are asked for at once, of any replica.
func (b Bucket) AnyDirectGet() string { return "$JS.API.DIRECT.GET." + b.Stream() }

// Info is where the state of the bucket's stream is asked for, of its leader.
func (b Bucket) Info() string { return "$JS.API.STREAM.INFO." + b.Stream() }

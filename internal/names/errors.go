package names

import "errors"

// MaxEncoded is the longest encoded form of one name on NATS, in bytes (decision D3). Longer names are refused where
// they come in.
const MaxEncoded = 400

// MaxMethod is the longest method that may travel over NATS, in bytes (decision D4).
const MaxMethod = 128

// MaxRoot bounds the prefix and the session pool's name, each, in bytes, so that a subject never exceeds 1,024 bytes.
const MaxRoot = 64

// Errors that the Parse functions return, to be told apart with errors.Is.
var (
	// ErrSyntax says that a name holds a character, or has a form, that its kind does not allow.
	ErrSyntax = errors.New("invalid name")
	// ErrTooLong says that the encoded form of a name exceeds MaxEncoded.
	ErrTooLong = errors.New("name too long")
	// ErrReserved says that a name belongs to the gateway itself ("swindon.…", "tangle.…").
	ErrReserved = errors.New("reserved name")
)

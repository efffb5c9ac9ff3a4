package wire

import (
	"errors"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// ErrShape says that a frame is JSON but not an array of method, metadata, arguments and keyword arguments. Other
// errors of ParseRequest are *jsontext.SyntaxError.
var ErrShape = errors.New("frame is no [method, metadata, args, kwargs]")

// Problem is why a request that has the right shape is answered with validation_error; its text is the data of that
// error frame.
type Problem string

// The problems of a request, in the order of checking (protocol §3.2, decision D1).
const (
	NoProblem        Problem = ""
	InvalidMethod    Problem = "invalid method"
	InvalidRequestID Problem = "invalid request id"
)

// Request is one frame of a client. All slices share the frame's memory.
type Request struct {
	// Problem says that the request must be answered with an error; then Method, ID and Active mean nothing.
	Problem Problem
	Method  names.Method
	// ID is the request id as text: an integer in decimal, a string without its quotes.
	ID string
	// Active is the client's wish to count as active, in seconds; HasActive is false without a valid one.
	Active    uint64
	HasActive bool
	// Meta, Args and Kwargs are as they came.
	Meta, Args, Kwargs jsontext.Value

	keys keySet
}

// keySet tells which keys that the gateway itself sets the client's metadata holds, and whether it holds any at all.
type keySet uint8

const (
	keyConnectionID keySet = 1 << iota
	keyErrorKind
	keyHTTPError
	keyAny
)

// maxStringID is the longest request id that is a string, in bytes.
const maxStringID = 36

// ParseRequest takes a frame apart. An error means that the frame breaks the protocol and the connection must be
// closed: *jsontext.SyntaxError with 1007, ErrShape with 1008 (decision D7).
func ParseRequest(frame []byte) (Request, error) {
	var r Request
	if err := jsontext.Check(frame); err != nil {
		return r, err
	}
	var parts [4]jsontext.Value
	n := 0
	jsontext.Each(frame, func(v jsontext.Value) bool {
		if n < len(parts) {
			parts[n] = v
		}
		n++
		return n <= len(parts)
	})
	if n != len(parts) || parts[0].Kind() != jsontext.String || parts[1].Kind() != jsontext.Object ||
		parts[2].Kind() != jsontext.Array || parts[3].Kind() != jsontext.Object {
		return r, ErrShape
	}
	r.Meta, r.Args, r.Kwargs = parts[1], parts[2], parts[3]
	r.check(parts[0])
	return r, nil
}

// check validates method and metadata in the order of protocol §3.2.
func (r *Request) check(method jsontext.Value) {
	var id, active jsontext.Value
	r.keys, id, active = scan(r.Meta)
	name, ok := jsontext.Unquote(method)
	if !ok {
		r.Problem = InvalidMethod
		return
	}
	m, err := names.ParseMethod(name)
	if err != nil {
		r.Problem = InvalidMethod
		return
	}
	if r.ID, ok = requestID(id); !ok {
		r.Problem = InvalidRequestID
		return
	}
	r.Method = m
	r.Active, r.HasActive = jsontext.Uint64(active)
}

// scan looks at the metadata once. Of duplicate keys the last wins.
func scan(meta jsontext.Value) (keys keySet, id, active jsontext.Value) {
	jsontext.Members(meta, func(key []byte, v jsontext.Value) bool {
		keys |= keyAny
		switch {
		case jsontext.KeyEqual(key, "request_id"):
			id = v
		case jsontext.KeyEqual(key, "active"):
			active = v
		default:
			keys |= ours(key)
		}
		return true
	})
	return keys, id, active
}

// ours tells which of the gateway's own keys a key is, if any.
func ours(key []byte) keySet {
	switch {
	case jsontext.KeyEqual(key, "connection_id"):
		return keyConnectionID
	case jsontext.KeyEqual(key, "error_kind"):
		return keyErrorKind
	case jsontext.KeyEqual(key, "http_error"):
		return keyHTTPError
	}
	return 0
}

// requestID reads a request id: an integer of 0 … 2^64-1 or a string of 1 to 36 characters of [A-Za-z0-9_-].
func requestID(v jsontext.Value) (string, bool) {
	if v.Kind() != jsontext.String {
		if _, ok := jsontext.Uint64(v); !ok {
			return "", false
		}
		return string(v), true
	}
	// An escape stands for at least one byte with at most twelve.
	if len(v) > 2+12*maxStringID {
		return "", false
	}
	s, ok := jsontext.Unquote(v)
	if !ok || s == "" || len(s) > maxStringID {
		return "", false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", false
		}
	}
	return s, true
}

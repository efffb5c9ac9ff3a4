package wire

import (
	"strconv"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// Event is the kind of a frame that the gateway sends (protocol §3.6).
type Event int

// The events.
const (
	Hello Event = iota + 1
	Result
	Error
	Message
	Lattice
	FatalError
)

var eventHeads = [...][]byte{
	Hello:      []byte(`["hello",`),
	Result:     []byte(`["result",`),
	Error:      []byte(`["error",`),
	Message:    []byte(`["message",`),
	Lattice:    []byte(`["lattice",`),
	FatalError: []byte(`["fatal_error",`),
}

// String is the event's name as it stands in the frame.
func (e Event) String() string {
	if e < Hello || e > FatalError {
		return "unknown"
	}
	h := eventHeads[e]
	return string(h[2 : len(h)-2])
}

var (
	comma = []byte(",")
	end   = []byte("]")
	// Empty is the metadata of hello.
	empty = []byte("{}")
)

// Parts is a frame's text in pieces, to be written one after the other.
type Parts [5][]byte

// Frame is the text of a frame with metadata and data, both JSON texts, as they are.
func Frame(e Event, meta, data []byte) Parts {
	return Parts{eventHeads[e], meta, comma, data, end}
}

// HelloFrame is the first frame of an authorized connection; data is what the backend answered.
func HelloFrame(data []byte) Parts { return Frame(Hello, empty, data) }

// AppendText appends the frame's text.
func (p Parts) AppendText(b []byte) []byte {
	for _, part := range p {
		b = append(b, part...)
	}
	return b
}

// AppendTopicMeta appends the metadata of a message frame. A topic has no character that JSON would escape.
func AppendTopicMeta(b []byte, t names.Topic) []byte {
	b = append(b, `{"topic":"`...)
	b = append(b, t...)
	return append(b, `"}`...)
}

// AppendNamespaceMeta appends the metadata of a lattice frame. A namespace has no character that JSON would escape.
func AppendNamespaceMeta(b []byte, ns names.Namespace) []byte {
	b = append(b, `{"namespace":"`...)
	b = append(b, ns...)
	return append(b, `"}`...)
}

// AppendStatus appends a member of a presence frame's data (protocol §9.2). version is in Unix milliseconds; status
// and user have no character that JSON would escape.
func AppendStatus(b []byte, user names.UserID, version int64, status string) []byte {
	b = append(b, '"')
	b = append(b, user...)
	b = append(b, `":{"status_register":[`...)
	b = strconv.AppendInt(b, version, 10)
	b = append(b, `.0,"`...)
	b = append(b, status...)
	return append(b, `"]}`...)
}

// AppendErrorMeta appends the metadata of an error frame: the request's own with error_kind and, unless status is 0,
// http_error. The gateway's values win (protocol §3.3).
func (r *Request) AppendErrorMeta(b []byte, kind string, status int) []byte {
	b = append(b, `{"error_kind":"`...)
	b = append(b, kind...)
	b = append(b, '"')
	drop := keyErrorKind
	if status != 0 {
		drop |= keyHTTPError
		b = append(b, `,"http_error":`...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return r.appendRest(b, drop)
}

// AppendFatalMeta appends the metadata of a fatal_error frame.
func AppendFatalMeta(b []byte, status int) []byte {
	b = append(b, `{"error_kind":"http_error","http_error":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, '}')
}

// AppendBody appends the body of the request to the backend: the metadata with connection_id, then the arguments as
// they came (protocol §4.3).
func (r *Request) AppendBody(b []byte, id names.ConnID) []byte {
	b = append(b, `[{"connection_id":"`...)
	b = id.AppendTo(b)
	b = append(b, '"')
	b = r.appendRest(b, keyConnectionID)
	b = append(b, ',')
	b = append(b, r.Args...)
	b = append(b, ',')
	b = append(b, r.Kwargs...)
	return append(b, ']')
}

// appendRest appends the members of the client's metadata to an object that has members already, and closes it.
// Members that the gateway has set are left out; that no such member is there is the rule, and then the rest is one
// copy.
func (r *Request) appendRest(b []byte, drop keySet) []byte {
	switch {
	case r.keys&keyAny == 0:
		return append(b, '}')
	case r.keys&drop == 0:
		b = append(b, ',')
		return append(b, r.Meta[1:]...)
	}
	jsontext.Members(r.Meta, func(key []byte, v jsontext.Value) bool {
		if ours(key)&drop != 0 {
			return true
		}
		b = append(b, ',', '"')
		b = append(b, key...)
		b = append(b, '"', ':')
		b = append(b, v...)
		return true
	})
	return append(b, '}')
}

package port

import "net/http"

// Field is one header line, spelled as it is to be sent.
type Field struct{ Name, Value string }

// Call is a POST that the gateway itself makes to an HTTP destination: an authorization, a remote procedure call, a
// notice. The destination adds Host, the request-id header it is configured with, User-Agent and Content-Length.
type Call struct {
	// Path is the raw request target, beginning with a slash.
	Path string
	// Fields are sent in order, after those that the destination adds.
	Fields []Field
	// RequestID is the value of the destination's request-id-header, if it has one.
	RequestID string
	// Body is sent with a Content-Length and may be read until Call returns.
	Body []byte

	// BeforeWait, if set, is called once, before Call waits for anything.
	BeforeWait func()
	// Ready, if set, lets Call return ErrQueued instead of waiting for a free backend. Then Ready is called exactly once,
	// from any goroutine, without locks, perhaps before Call has returned; it must not block. After it, and not before,
	// Call must be called again with the same Call, to go on or to learn why it does not. Queued is called before Call
	// queues the request: leave gives the waiting up, so that Ready is called; it may be called at any time, and does
	// nothing unless the request waits.
	Ready  func()
	Queued func(leave func())
	// Place is the destination's own while a request is under way. It must be nil at first.
	Place any
}

// Reply is a backend's whole answer to a Call.
type Reply struct {
	Status int
	Header http.Header
	// Body is the caller's to keep. At most the destination's limit (10 MiB) long.
	Body []byte
	// Backend is the address of the server that answered, for the log.
	Backend string
}

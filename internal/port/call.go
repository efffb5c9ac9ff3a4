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

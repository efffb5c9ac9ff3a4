package port

// Header holds the headers of a Message. Names are case-sensitive, as on NATS, and spelled as in names of the form
// "Sw-Node". It converts to nats.Header without a copy.
type Header map[string][]string

// Get returns the first value of a header, or "".
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Message is one message of the fabric. Data must not be changed by the receiver: several may hold it.
type Message struct {
	Subject string
	// Reply is where an answer is awaited; empty when none is.
	Reply  string
	Header Header
	Data   []byte
}

// Headers that the nodes and the backends exchange.
const (
	HeaderNode      = "Sw-Node"       // id of the node that published; a node drops its own
	HeaderConn      = "Sw-Conn"       // connection id of the caller
	HeaderUser      = "Sw-User"       // user id of the caller
	HeaderAuth      = "Sw-Auth"       // base64 of {"user_id":…}, as in the Authorization header over HTTP
	HeaderRequestID = "Sw-Request-Id" // as the request id header over HTTP
	HeaderDeadline  = "Sw-Deadline"   // unix milliseconds after which nobody waits for the reply
	HeaderAttempt   = "Sw-Attempt"    // 1 for the first try, counted up when nobody was there to get it
	HeaderErrorCode = "Nats-Service-Error-Code"
	HeaderError     = "Nats-Service-Error"
)

// Lane chooses the NATS connection that a request goes out on.
type Lane int

const (
	// LaneCalls is for requests whose order among each other does not matter: calls, authorizations, store access.
	LaneCalls Lane = iota + 1
	// LaneOrdered is for everything whose order matters: topics, commands and their answers, beats.
	LaneOrdered
)

// String names the lane as it stands in metrics.
func (l Lane) String() string {
	switch l {
	case LaneCalls:
		return "calls"
	case LaneOrdered:
		return "ordered"
	}
	return "unknown"
}

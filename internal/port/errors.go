package port

import "errors"

// Sentinel errors of the joints. Each may be wrapped; ask with errors.Is.
var (
	// ErrNoResponders says that nobody listens on the subject of a request. Nobody got it: it may be sent again.
	ErrNoResponders = errors.New("no responders")
	// ErrUnavailable says that NATS is known to be away: nothing was sent.
	ErrUnavailable = errors.New("nats unavailable")
	// ErrRevision says that a compare-and-swap found another revision than expected.
	ErrRevision = errors.New("wrong revision")
	// ErrTooLarge says that a message, body or reply exceeds its limit.
	ErrTooLarge = errors.New("too large")
	// ErrStoreFull says that a bucket has reached its bound.
	ErrStoreFull = errors.New("store full")
	// ErrQueueFull says that a destination takes no further request at the moment: it was not sent.
	ErrQueueFull = errors.New("queue full")
	// ErrQueued says that a Call waits for a free backend and its Ready function will be called.
	ErrQueued = errors.New("queued")
	// ErrQueueTimeout says that a request waited its whole queue time for a free backend: it was not sent.
	ErrQueueTimeout = errors.New("queue timeout")
	// ErrTimeout says that a backend did not answer in time. It may have got the request.
	ErrTimeout = errors.New("request timeout")
	// ErrGone says that the thing a command was meant for exists no longer: a connection, a session pool, a
	// destination.
	ErrGone = errors.New("gone")
	// ErrLimit says that a configured limit, such as the number of subscriptions, forbids it: nothing was applied.
	ErrLimit = errors.New("limit reached")
	// ErrMalformed says that what was sent is not what the other end understands: nothing was applied.
	ErrMalformed = errors.New("malformed")
)

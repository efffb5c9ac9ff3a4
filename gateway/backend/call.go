package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Kind is what became of a call.
type Kind int

// The kinds of a result, as they stand in error frames (protocol §3.3).
const (
	KindOK            Kind = iota + 1 // a result frame
	KindHTTPError                     // error_kind http_error, with Status
	KindDataError                     // error_kind data_error
	KindInternalError                 // error_kind internal_error
)

// String is the kind as error frames spell it; "ok" is never sent.
func (k Kind) String() string {
	switch k {
	case KindOK:
		return "ok"
	case KindHTTPError:
		return "http_error"
	case KindDataError:
		return "data_error"
	case KindInternalError:
		return "internal_error"
	}
	return "unknown"
}

// Result is the outcome of a call: always one, whatever happened.
type Result struct {
	Kind Kind
	// Status is the http_error of KindHTTPError.
	Status int
	// Data is a JSON text for the frame's third element.
	Data []byte
	// Cause says for the log what went wrong, nil when a backend answered 200; Backend is the address that was asked.
	Cause   error
	Backend string
}

// CallRequest is a client's call.
type CallRequest struct {
	Method names.Method
	Conn   names.ConnID
	User   names.UserID
	// Authorization is the level's scheme with Credentials behind it; made once for all calls of a session.
	Authorization string
	// RequestID is the client's, as text: decimal for an integer.
	RequestID string
	// Body is the whole body of the request.
	Body []byte
	// BeforeWait, which may be nil, is called when Call is about to wait for a backend.
	BeforeWait func()
}

// id is the request id towards the backend.
func (q *CallRequest) id() string {
	b := make([]byte, 0, 96)
	b = q.Conn.AppendTo(b)
	b = append(b, '-')
	return string(append(b, q.RequestID...))
}

// Call makes a client's call. Over HTTP it waits for the result once a backend is free; when ctx ends, the call to the
// backend is given up. Over NATS, and for a free backend, nobody waits: ended is false, and w, which must cancel the
// request when ctx ends, gets the answer. Neither q nor its Body may be changed until there is a result or the answer was
// dropped.
func (c *Caller) Call(ctx context.Context, dest names.Destination, level Level, q *CallRequest, w Waiter) (r Result, ended bool) {
	d, err := c.find(dest.Name)
	if err != nil {
		return Result{Kind: KindInternalError, Data: unexpectedPool, Cause: err}, true
	}
	if d.NATS != nil {
		if err := c.start(ctx, d.NATS, level, q, w); err != nil {
			return failed(err), true
		}
		return Result{}, false
	}
	p := posts.Get().(*post)
	p.fill(d.HTTP, dest, level, q, w)
	return p.try(ctx)
}

// The data of internal_error frames.
var (
	tooMany        = []byte(`"too_many_requests"`)
	unexpectedPool = []byte(`"unexpected_pool_error"`)
)

// failed is the outcome when no backend's answer came (protocol §3.3, decisions D13, D14, D18).
func failed(err error) Result {
	switch {
	case errors.Is(err, port.ErrQueueFull):
		return Result{Kind: KindInternalError, Data: tooMany, Cause: err}
	case errors.Is(err, port.ErrGone):
		return Result{Kind: KindInternalError, Data: unexpectedPool, Cause: err}
	case errors.Is(err, port.ErrQueueTimeout), errors.Is(err, port.ErrNoResponders), errors.Is(err, port.ErrUnavailable):
		return Result{Kind: KindHTTPError, Status: 503, Data: null, Cause: err}
	case errors.Is(err, errRequestTooLarge):
		return Result{Kind: KindHTTPError, Status: 413, Data: null, Cause: err}
	case errors.Is(err, errNotOnNATS):
		return Result{Kind: KindHTTPError, Status: 404, Data: null, Cause: err}
	}
	return Result{Kind: KindHTTPError, Status: 500, Data: null, Cause: err}
}

// meaning is what a backend's reply to a call means (protocol §4.5).
func meaning(status int, body []byte, isJSON bool) Result {
	if status != 200 {
		r := Result{Kind: KindHTTPError, Status: status, Data: null, Cause: fmt.Errorf("backend answered %d", status)}
		if isJSON && jsontext.Check(body) == nil {
			r.Data = jsontext.Trim(body)
		}
		return r
	}
	if !isJSON {
		return Result{Kind: KindHTTPError, Status: 500, Data: null, Cause: errors.New("reply has no JSON content type")}
	}
	if err := jsontext.Check(body); err != nil {
		return Result{
			Kind:  KindDataError,
			Data:  jsontext.AppendQuoted(nil, err.Error()),
			Cause: fmt.Errorf("reply: %w", err),
		}
	}
	return Result{Kind: KindOK, Data: jsontext.Trim(body)}
}

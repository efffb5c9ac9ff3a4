package ws

import (
	"errors"
	"fmt"
)

// Close codes that this package sends or reports by itself (decision D8, RFC 6455 §7.4.1).
const (
	CodeNormal      = 1000
	CodeGoingAway   = 1001
	CodeProtocol    = 1002 // framing errors
	CodeUnsupported = 1003 // binary messages
	CodeNoStatus    = 1005 // reported for a Close without code, never sent
	CodeAbnormal    = 1006 // reported for an end without Close, never sent
	CodeInvalidData = 1007 // text that is not UTF-8
	CodeTooBig      = 1009
	CodeInternal    = 1011
	CodePingTimeout = 4008
	CodeSlow        = 4013
)

// Errors of connections. Ask with errors.Is.
var (
	// ErrClosed says that the connection is closed or closing: nothing more is sent.
	ErrClosed = errors.New("websocket is closed")
	// ErrSlow says that the outbox has just gone over its bounds. The connection closes itself with 4013.
	ErrSlow = errors.New("websocket client is too slow")
	// ErrCrowded says that the outbox is more than half full, so that an offered frame was not queued.
	ErrCrowded = errors.New("websocket outbox is more than half full")
	// ErrLeft is the cause of a connection's context when the client has gone away without a Close frame.
	ErrLeft = errors.New("websocket client has left")
	// ErrTooEarly is the cause when a client sent more than EarlyBytes before it was answered (decision D6).
	ErrTooEarly = errors.New("websocket client sent too much before the handshake was answered")
	// ErrHandshake says that a request is no websocket handshake; Classify tells so before.
	ErrHandshake = errors.New("not a websocket handshake")
)

// CloseError ends a connection with a code: handlers of messages return it to close, and it is the cause of the context
// of a connection that was closed with a Close frame of either side.
type CloseError struct {
	Code   int
	Reason string
}

// Error gives code and reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("websocket closed: %d", e.Code)
	}
	return fmt.Sprintf("websocket closed: %d %s", e.Code, e.Reason)
}

// Is makes errors.Is(err, ErrClosed) true.
func (e *CloseError) Is(target error) bool { return target == ErrClosed }

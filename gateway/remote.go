package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// The operations that nodes and backends ask of a connection's owner, or of all nodes for a user.
const (
	opSubscribe   = "sub"
	opUnsubscribe = "unsub"
	opAttach      = "lat"
	opDetach      = "unlat"
	opUsers       = "users"
	opUnusers     = "unusers"
	opInfo        = "info"
	opActive      = "active"
	opKick        = "kick"
	opPing        = "ping"
	opViewers     = "viewers"
)

// commandStatus is the error code of an answer; commandError is its inverse.
func commandStatus(err error) int {
	switch {
	case errors.Is(err, port.ErrGone):
		return 404
	case errors.Is(err, port.ErrLimit):
		return 409
	case errors.Is(err, port.ErrMalformed):
		return 400
	case errors.Is(err, port.ErrTooLarge):
		return 413
	}
	return 503
}

func commandError(code string) error {
	switch code {
	case "":
		return nil
	case "404":
		return port.ErrGone
	case "409":
		return port.ErrLimit
	case "400":
		return port.ErrMalformed
	}
	return port.ErrUnavailable
}

// Waits between two attempts to reach a node that lives but does not listen at the moment.
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 100 * time.Millisecond
)

// remote has a command for a connection applied by the node that owns it (decision D16). Errors: port.ErrGone when
// connection or owner exist no longer, port.ErrTimeout when the owner lives but does not answer.
func (p *Pool) remote(ctx context.Context, id names.ConnID, op string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	m := port.Message{Subject: p.deps.Space.Conn(id, op), Header: p.nodes.header, Data: body}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		reply, err := p.deps.Bus.Request(ctx, port.LaneOrdered, m)
		switch {
		case err == nil:
			return commandError(reply.Header.Get(port.HeaderErrorCode))
		case errors.Is(err, port.ErrUnavailable), errors.Is(err, port.ErrTooLarge):
			return err
		case !errors.Is(err, port.ErrNoResponders):
			return fmt.Errorf("%w: %w", port.ErrTimeout, err)
		case !p.nodes.alive(id.Node):
			// Nobody listens, and the node has not been heard of: it is gone, and its connections with it.
			return port.ErrGone
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("owner of the connection: %w", port.ErrTimeout)
		}
	}
}

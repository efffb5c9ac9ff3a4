package gateway

import (
	"context"
	"sync/atomic"

	"github.com/swindon-go/swindon/internal/port"
)

// Bus is the fabric between nodes and backends as a session pool needs it; package broker has the real one over NATS,
// broker/memory one in memory. All methods may be called concurrently.
//
// Two lanes keep order where it matters: what one node sends on the ordered lane (Publish, Request with LaneOrdered)
// arrives at another node's Intake in the order of sending.
type Bus interface {
	// Up tells whether NATS is connected and this node's permanent interest is known there. While it is false no
	// subscribe may be acknowledged (decision D44), and Publish and Request fail with port.ErrUnavailable.
	Up() bool
	// Publish hands m to the ordered lane and does not wait. It fails with port.ErrUnavailable while NATS is away and
	// with port.ErrTooLarge beyond MaxPayload. m.Data may be reused when it returns.
	Publish(m port.Message) error
	// Flush returns when the server has processed everything that was published before the call. Callers that wait at
	// the same time share one round trip. It fails with the context's error or port.ErrUnavailable; then what was
	// published may or may not have been sent.
	Flush(ctx context.Context) error
	// Epoch changes with every connection of the ordered lane that takes the place of another. A Flush speaks for what
	// was published only if Epoch is after it what it was before the Publish.
	Epoch() uint64
	// Request sends m on a lane and waits for the one answer. Errors: port.ErrNoResponders (nobody got it),
	// port.ErrUnavailable (not sent), port.ErrTooLarge, port.ErrTimeout or the context's error (may have been got).
	Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error)
	// RequestMany sends m like Request and hands every answer to each, one by one, until it returns false (then the error
	// is nil) or ctx ends.
	RequestMany(ctx context.Context, lane port.Lane, m port.Message, each func(port.Message) (more bool)) error
	// Intake subscribes to all subjects for the life of the bus and hands their messages one by one, in the order of
	// arrival, to handle, which must not block for long. Unless nil, quick may take a message instead, by returning true; it
	// is not always asked, must be fast, wait for nothing, not use the bus and keep nothing of the message. stop ends it and returns when both run no more.
	Intake(subjects []string, quick func(port.Message) bool, handle func(port.Message)) (stop func(), err error)
	// Serve answers requests of a subject as a member of a queue group; each message is handed to exactly one member
	// of the group. handle is called in turn and must not block; it answers by Publish to m.Reply.
	Serve(subject, queue string, handle func(port.Message)) (stop func(), err error)
	// MaxPayload is the largest Data that may be sent, in bytes.
	MaxPayload() int64
}

// countedBus counts what is sent on the ordered lane.
type countedBus struct {
	Bus
	sent *atomic.Int64
}

// Publish is Bus.Publish.
func (b countedBus) Publish(m port.Message) error {
	b.sent.Add(1)
	return b.Bus.Publish(m)
}

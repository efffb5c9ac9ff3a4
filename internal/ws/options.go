package ws

import (
	"sync/atomic"
	"time"
)

// Options are the bounds and times of a connection. Take copies them. A zero field means its default.
type Options struct {
	// MaxFrame bounds one message from the client in bytes, fragments together; beyond: 1009. Default 10 MiB.
	MaxFrame int64
	// MaxOutBytes bounds what waits in the outbox; beyond: 4013. One frame that is larger by itself may wait alone, so
	// that a reply larger than the bound can still be sent to a client that reads. Default 4 MiB.
	MaxOutBytes int
	// MaxOutFrames bounds the frames in the outbox; beyond: 4013. Default 4096.
	MaxOutFrames int
	// WriteTimeout is how long the network may take nothing of what is written before the connection counts as slow and
	// is cut. Default 30 s.
	WriteTimeout time.Duration
	// PingInterval is the time between pings, jittered downwards by up to a fifth. Default 25 s; negative: no pings.
	PingInterval time.Duration
	// PingTimeout is how long a pong may take; beyond: 4008. Default 10 s.
	PingTimeout time.Duration
	// CloseTimeout bounds the close handshake, sending of what was queued included. Default 5 s.
	CloseTimeout time.Duration
	// Counters are counted up, if given.
	Counters *Counters
	// Group is what connections share: flushers and clock. All connections of a process may share one; nil gives the
	// connection one of its own.
	Group *Group
}

// DefaultOptions returns the documented defaults, without counters and group.
func DefaultOptions() Options {
	return Options{
		MaxFrame:     10 << 20,
		MaxOutBytes:  4 << 20,
		MaxOutFrames: 4096,
		WriteTimeout: 30 * time.Second,
		PingInterval: 25 * time.Second,
		PingTimeout:  10 * time.Second,
		CloseTimeout: 5 * time.Second,
	}
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	if o.MaxFrame <= 0 {
		o.MaxFrame = d.MaxFrame
	}
	if o.MaxOutBytes <= 0 {
		o.MaxOutBytes = d.MaxOutBytes
	}
	if o.MaxOutFrames <= 0 {
		o.MaxOutFrames = d.MaxOutFrames
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = d.WriteTimeout
	}
	if o.PingInterval == 0 {
		o.PingInterval = d.PingInterval
	}
	if o.PingTimeout <= 0 {
		o.PingTimeout = d.PingTimeout
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = d.CloseTimeout
	}
	if o.Group == nil {
		o.Group = NewGroup()
	}
	if o.Counters == nil {
		o.Counters = &Counters{}
	}
	return o
}

// Counters count what the connections that share them do. All fields only grow, except Open.
type Counters struct {
	Open       atomic.Int64  // connections taken and not yet ended
	FramesIn   atomic.Uint64 // frames received, control frames included
	BytesIn    atomic.Uint64 // bytes received, headers included
	FramesOut  atomic.Uint64 // frames written completely, the 101 counting as one
	BytesOut   atomic.Uint64
	Writes     atomic.Uint64 // system calls (one per flush)
	SlowCloses atomic.Uint64 // connections closed with 4013
	DeadCloses atomic.Uint64 // connections closed with 4008
}

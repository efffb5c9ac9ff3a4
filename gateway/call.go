package gateway

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/ws"
)

// call is one frame of a client on its way to a backend and back.
type call struct {
	conn  *conn
	frame *buffer
}

// buffer is a piece of pooled memory.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 512)} }}

// maxPooled is the largest buffer that is kept for the next user, in bytes.
const maxPooled = 64 << 10

func getBuffer() *buffer { return buffers.Get().(*buffer) }

func putBuffer(b *buffer) {
	if cap(b.b) <= maxPooled {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// receive takes a frame from the connection's reader. It copies the frame and returns at once, so that the reader's
// stack stays small; the frame is parsed by the worker. With too many calls in flight reading pauses (decision D9).
func (c *conn) receive(frame []byte) error {
	p := c.handler.pool
	p.deps.Metrics.framesReceived.Add(1)
	if c.draining.Load() {
		// Nobody will wait for the answer.
		return nil
	}
	limit := p.callLimit()
	buf := getBuffer()
	buf.b = append(buf.b, frame...)
	if c.calls.Add(1) >= limit {
		c.paused.Store(true)
		c.ws.PauseReading()
		if c.calls.Load() < limit {
			// The call that would have resumed it has ended before the pause.
			c.paused.Store(false)
			c.ws.ResumeReading()
		}
	}
	p.workers.do(call{c, buf})
	return nil
}

// callLimit is the number of calls at which reading pauses, in the type that connections count with.
func (p *Pool) callLimit() int32 { return int32(min(p.cfg.Load().MaxCallsInFlight, math.MaxInt32)) }

// answered takes a call out of the count.
func (c *conn) answered() {
	n := c.calls.Add(-1)
	if n < c.handler.pool.callLimit() && c.paused.Load() && c.paused.CompareAndSwap(true, false) {
		c.ws.ResumeReading()
	}
	if n == 0 && c.draining.Load() {
		c.close(closeGoingAway, reasonGoingAway)
	}
}

// run parses a frame, makes the call and queues its reply.
func (k call) run() {
	c := k.conn
	defer c.answered()
	defer putBuffer(k.frame)
	defer k.rescue()
	r, err := wire.ParseRequest(k.frame.b)
	if err != nil {
		k.breach(err)
		return
	}
	if r.Problem != wire.NoProblem {
		k.fail(&r, "validation_error", 0, jsontext.AppendQuoted(nil, string(r.Problem)))
		return
	}
	if c.ws.Context().Err() != nil {
		return
	}
	k.call(&r)
}

// rescue closes the connection whose call has met a defect of ours, so that the others live on.
func (k call) rescue() {
	if v := recover(); v != nil {
		k.conn.handler.pool.log.Error("Call has panicked", "conn", k.conn.id().String(), "panic", v, "stack", string(debug.Stack()))
		k.conn.close(closeInternal, reasonInternal)
	}
}

// breach closes a connection whose client does not speak the protocol (decision D7).
func (k call) breach(err error) {
	if errors.Is(err, wire.ErrShape) {
		k.conn.close(closePolicy, reasonPolicy)
		return
	}
	k.conn.close(closeBadData, reasonBadData)
}

// call makes the call of a valid request.
func (k call) call(r *wire.Request) {
	c, h := k.conn, k.conn.handler
	p := h.pool
	s := c.session.Load()
	if r.HasActive {
		p.sessions.active(s, r.Active)
	}
	p.deps.Metrics.calls.Add(1)
	dest := h.methods.Lookup(string(r.Method))
	start := time.Now()
	result := p.backend.Call(c.ws.Context(), dest, h.level, &backend.CallRequest{
		Method:        r.Method,
		Conn:          c.id(),
		User:          s.user,
		Authorization: s.authorization(h.level),
		RequestID:     r.ID,
		Body:          r.AppendBody(make([]byte, 0, len(k.frame.b)+96), c.id()),
	})
	if c.ws.Context().Err() != nil {
		return
	}
	if result.Kind == backend.KindOK {
		parts := wire.Frame(wire.Result, r.Meta, result.Data)
		_ = c.ws.Send(ws.Text(parts[:]...))
		return
	}
	k.fail(r, result.Kind.String(), result.Status, result.Data)
	// A backend that says no is its business; one that says nothing, or nonsense, is the operator's.
	lvl := slog.LevelDebug
	if result.Kind != backend.KindHTTPError || result.Status >= 500 {
		lvl = slog.LevelWarn
	}
	p.log.Log(c.ws.Context(), lvl, "Call failed", "method", string(r.Method), "destination", dest.String(),
		"backend", result.Backend, "status", result.Status, "kind", result.Kind.String(), "err", result.Cause,
		"conn", c.id().String(), "user", string(s.user), "request_id", r.ID, "duration", time.Since(start))
}

// fail queues an error frame.
func (k call) fail(r *wire.Request, kind string, status int, data []byte) {
	k.conn.handler.pool.deps.Metrics.callErrors.Add(1)
	buf := getBuffer()
	defer putBuffer(buf)
	buf.b = r.AppendErrorMeta(buf.b, kind, status)
	parts := wire.Frame(wire.Error, buf.b, data)
	_ = k.conn.ws.Send(ws.Text(parts[:]...))
}

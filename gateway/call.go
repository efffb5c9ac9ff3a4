package gateway

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/wire"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/ws"
)

// call is one frame of a client on its way to a backend and back. It is used again when it is over.
type call struct {
	conn    *conn
	frame   []byte
	body    []byte       // of the request to the backend
	request wire.Request // shares the frame's memory
	session *session
	dest    names.Destination
	start   time.Time
	query   backend.CallRequest
	// answer is what remains to be done of a call that a worker goes on with.
	answer  backend.Answer
	resumed bool
	// panicked and over are for a call that has panicked and whose answer comes nevertheless: it is not used again.
	panicked bool
	over     atomic.Bool
	// flight is a request over NATS; guarded by conn.mu as long as it is in the list of conn.flying.
	flight     backend.Flight
	flying     bool
	prev, next *call
}

var calls = sync.Pool{New: func() any { return &call{} }}

// buffer is a piece of pooled memory.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 512)} }}

// maxPooled is the largest buffer that is kept for the next user, in bytes. A frame that is larger takes its time to
// be parsed.
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
	k := calls.Get().(*call)
	k.conn = c
	k.frame = append(k.frame[:0], frame...)
	if c.calls.Add(1) >= limit {
		c.paused.Store(true)
		c.ws.PauseReading()
		if c.calls.Load() < limit {
			// The call that would have resumed it has ended before the pause.
			c.paused.Store(false)
			c.ws.ResumeReading()
		}
	}
	if !p.workers.do(k) {
		k.end()
	}
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

// run does on a worker what is to be done: it begins a call or goes on with one that was answered.
func (k *call) run(w *worker) {
	waits := false
	defer func() {
		if !waits {
			k.end()
		}
	}()
	defer k.rescue()
	if k.resumed {
		k.conclude(k.answer.Result(k.conn.ws.Context(), w.yield))
		return
	}
	if len(k.frame) > maxPooled {
		w.giveUp()
	}
	waits = k.begin(w)
}

// begin parses the frame and makes the call; true: the answer will come to Answered.
func (k *call) begin(w *worker) (waits bool) {
	r, err := wire.ParseRequest(k.frame)
	if err != nil {
		k.breach(err)
		return false
	}
	k.request = r
	if r.Problem != wire.NoProblem {
		k.fail("validation_error", 0, jsontext.AppendQuoted(nil, string(r.Problem)))
		return false
	}
	c, h := k.conn, k.conn.handler
	p := h.pool
	if c.ws.Context().Err() != nil {
		return false
	}
	k.session = c.session.Load()
	if r.HasActive {
		if until, later := p.sessions.active(k.session, r.Active); later {
			p.presence.Active(k.session.user, until)
		}
	}
	p.deps.Metrics.calls.Add(1)
	k.dest = h.methods.Lookup(string(r.Method))
	k.start = time.Now()
	k.body = r.AppendBody(k.body[:0], c.id())
	k.query = backend.CallRequest{
		Method:        r.Method,
		Conn:          c.id(),
		User:          k.session.user,
		Authorization: k.session.authorization(h.level),
		RequestID:     r.ID,
		Body:          k.body,
		BeforeWait:    w.yield,
	}
	result, ended := p.backend.Call(c.ws.Context(), k.dest, h.level, &k.query, k)
	if ended {
		k.conclude(result)
	}
	return !ended
}

// Answered takes the answer to a call that nobody waits for. It runs on the broker's goroutine, so what may take long is
// left to a worker.
func (k *call) Answered(a backend.Answer) {
	if k.over.Load() {
		a.Drop()
		return
	}
	waits := false
	defer func() {
		if !waits {
			k.end()
		}
	}()
	defer k.rescue()
	if !a.Slow() {
		k.conclude(a.Result(k.conn.ws.Context(), nil))
		return
	}
	k.answer, k.resumed = a, true
	if waits = k.conn.handler.pool.workers.do(k); !waits {
		a.Drop()
	}
}

// end takes a call out of the count and keeps it for the next one.
func (k *call) end() {
	if k.over.Swap(true) {
		return
	}
	c := k.conn
	if k.flying {
		c.landed(k)
	}
	if !k.panicked {
		k.recycle()
	}
	c.answered()
}

func (k *call) recycle() {
	if cap(k.frame) > maxPooled {
		k.frame = nil
	}
	if cap(k.body) > maxPooled {
		k.body = nil
	}
	k.conn, k.session, k.resumed = nil, nil, false
	k.request, k.query, k.answer, k.flight = wire.Request{}, backend.CallRequest{}, backend.Answer{}, backend.Flight{}
	k.over.Store(false)
	calls.Put(k)
}

// rescue closes the connection whose call has met a defect of ours, so that the others live on.
func (k *call) rescue() {
	if v := recover(); v != nil {
		k.panicked = true
		k.conn.handler.pool.log.Error("Call has panicked", "conn", k.conn.id().String(), "panic", v, "stack", string(debug.Stack()))
		k.conn.close(closeInternal, reasonInternal)
	}
}

// breach closes a connection whose client does not speak the protocol (decision D7).
func (k *call) breach(err error) {
	if errors.Is(err, wire.ErrShape) {
		k.conn.close(closePolicy, reasonPolicy)
		return
	}
	k.conn.close(closeBadData, reasonBadData)
}

// conclude queues the reply to a call, unless the client has left.
func (k *call) conclude(result backend.Result) {
	c := k.conn
	if c.ws.Context().Err() != nil {
		return
	}
	if result.Kind == backend.KindOK {
		parts := wire.Frame(wire.Result, k.request.Meta, result.Data)
		_ = c.ws.Send(ws.Text(parts[:]...))
		return
	}
	k.fail(result.Kind.String(), result.Status, result.Data)
	// A backend that says no is its business; one that says nothing, or nonsense, is the operator's.
	lvl := slog.LevelDebug
	if result.Kind != backend.KindHTTPError || result.Status >= 500 {
		lvl = slog.LevelWarn
	}
	c.handler.pool.log.Log(c.ws.Context(), lvl, "Call failed", "method", string(k.request.Method),
		"destination", k.dest.String(), "backend", result.Backend, "status", result.Status, "kind", result.Kind.String(),
		"err", result.Cause, "conn", c.id().String(), "user", string(k.session.user), "request_id", k.request.ID,
		"duration", time.Since(k.start))
}

// fail queues an error frame.
func (k *call) fail(kind string, status int, data []byte) {
	k.conn.handler.pool.deps.Metrics.callErrors.Add(1)
	buf := getBuffer()
	defer putBuffer(buf)
	buf.b = k.request.AppendErrorMeta(buf.b, kind, status)
	parts := wire.Frame(wire.Error, buf.b, data)
	_ = k.conn.ws.Send(ws.Text(parts[:]...))
}

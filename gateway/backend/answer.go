package backend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// errNotOnNATS says that a method's name cannot be a NATS subject (404, decision D3).
var errNotOnNATS = errors.New("method cannot be called over NATS")

// Answer is what came of a call over NATS, before it is looked at, or of the waiting for a free HTTP backend. Either
// Result or Drop must be called, once.
type Answer struct {
	request *request
	message port.Message
	err     error
	post    *post // of a call over HTTP; the others are zero then
}

// request is a call over NATS under way. It is used again after its end.
type request struct {
	dest     *NATS
	subject  string
	who      sender
	body     []byte
	start    time.Time
	deadline time.Time
	patience time.Duration
	waiter   Waiter
	// left says that the place was given back. broken says that a defect has struck while the request was sent: the
	// completion may come or not, and the request is not used again.
	left   atomic.Bool
	broken bool
	// header and values belong together, as sender.header makes them.
	header port.Header
	values []string
	// answered is take, made once.
	answered func(port.Message, error)
}

var requests = sync.Pool{New: func() any {
	r := &request{}
	r.answered = r.take
	return r
}}

// Waiter is who makes a call, as far as nobody waits for it.
type Waiter interface {
	// Begin is told, before the request is sent over NATS or queued for an HTTP backend, how to give it up.
	Begin(f Flight)
	// Answered is called once with the answer, on a goroutine that it must not block, perhaps before Call has returned,
	// but never from within it. It is not called when Call returns a result.
	Answered(a Answer)
}

// Flight is a request over NATS under way, or one that waits for an HTTP backend.
type Flight struct {
	req   Requester
	id    uint64
	leave func() // of a request over HTTP
}

// Cancel gives the request up: its answer is of no interest any more. If it has not been answered yet, Answered is
// called at once with an answer that says so, and the place in max-in-flight is free. It may be called at any time, but
// before the request is sent it does nothing: Call looks at its context after that.
func (f Flight) Cancel() {
	if f.leave != nil {
		f.leave()
		return
	}
	f.req.Cancel(port.LaneCalls, f.id)
}

// start begins a call. An error means that it has ended.
func (c *Caller) start(ctx context.Context, n *NATS, level Level, q *CallRequest, w Waiter) error {
	subject, ok := n.callSubject(c.space, q.Method)
	if !ok {
		return errNotOnNATS
	}
	cfg := n.cfg.Load()
	if !n.enter(cfg) {
		return port.ErrQueueFull
	}
	r := requests.Get().(*request)
	r.dest, r.subject, r.body, r.waiter = n, subject, q.Body, w
	r.start = time.Now()
	r.deadline, r.patience = r.start.Add(cfg.MaxRequestTimeout), cfg.NoRespondersTimeout
	r.fill(level, q)
	if err := r.send(ctx); err != nil {
		r.leave()
		return notSent(err)
	}
	return nil
}

// fill makes the headers.
func (r *request) fill(level Level, q *CallRequest) {
	// One string holds all that is new in each call.
	b := make([]byte, 0, 128)
	b = q.Conn.AppendTo(b)
	conn := len(b)
	b = append(b, '-')
	b = append(b, q.RequestID...)
	id := len(b)
	text := string(strconv.AppendInt(b, r.deadline.UnixMilli(), 10))
	r.who = sender{
		conn: text[:conn], user: string(q.User), requestID: text[:id],
		auth: q.Authorization[min(len(level.Scheme()), len(q.Authorization)):],
	}
	if r.values != nil && r.who.complete() {
		r.who.set(r.values, text[id:])
	} else {
		r.header, r.values = r.who.header(text[id:])
	}
}

// send sends the first attempt; it is given up when ctx has ended.
func (r *request) send(ctx context.Context) error {
	req := r.dest.req
	f := Flight{req: req, id: req.NextRequest(port.LaneCalls)}
	returned := false
	defer func() {
		if !returned {
			// A defect of ours; who called has it logged. The request may be on its way or not.
			r.broken = true
			r.leave()
		}
	}()
	r.waiter.Begin(f)
	m := port.Message{Subject: r.subject, Header: r.header, Data: r.body}
	err := req.Start(port.LaneCalls, f.id, m, r.deadline, r.answered)
	returned = true
	if err == nil && ctx.Err() != nil {
		// Who was to cancel it may have come too early. From here on the request is no longer ours to touch.
		f.Cancel()
	}
	return err
}

func (r *request) take(m port.Message, err error) {
	r.waiter.Answered(Answer{request: r, message: m, err: err})
}

// leave ends a request.
func (r *request) leave() {
	if r.left.Swap(true) {
		return
	}
	r.dest.inFlight.Add(-1)
	if r.broken {
		return
	}
	if !r.who.complete() {
		r.header, r.values = nil, nil
	}
	r.dest, r.waiter, r.body, r.who, r.subject = nil, nil, nil, sender{}, ""
	r.left.Store(false)
	requests.Put(r)
}

// slowReply is the size of a reply from which on the check of its JSON takes time, in bytes.
const slowReply = 64 << 10

// Slow tells whether Result may wait or take long.
func (a Answer) Slow() bool {
	return a.post != nil || len(a.message.Data) > slowReply || errors.Is(a.err, port.ErrNoResponders)
}

// Drop ends a call whose result nobody wants.
func (a Answer) Drop() {
	if a.post != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		a.post.try(ctx) // gives back what it has got
		return
	}
	a.request.leave()
}

// Result is the outcome of the call. When nobody got a request over NATS, it is made again until somebody does or the
// time is over; one over HTTP is made now, and beforeWait, which may be nil, is called before anything is waited for.
// When ctx ends the call is given up.
func (a Answer) Result(ctx context.Context, beforeWait func()) Result {
	if a.post != nil {
		a.post.call.BeforeWait = beforeWait
		r, _ := a.post.try(ctx) // a call is queued once at most
		return r
	}
	r := a.request
	defer r.leave()
	if beforeWait != nil && a.Slow() {
		beforeWait()
	}
	if errors.Is(a.err, port.ErrNoResponders) {
		a.message, a.err = r.dest.again(ctx, attempts{
			port.Message{Subject: r.subject, Data: r.body}, r.who, r.start, r.deadline, r.patience,
		}, a.err)
	}
	if a.err != nil {
		return failed(a.err)
	}
	status, bad := serviceError(a.message)
	if !bad {
		return meaning(200, a.message.Data, true)
	}
	result := meaning(status, a.message.Data, true)
	result.Cause = fmt.Errorf("%w: %s", result.Cause, a.message.Header.Get(port.HeaderError))
	return result
}

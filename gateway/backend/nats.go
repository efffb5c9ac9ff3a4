package backend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// NATS is one entry of nats-destinations: it bounds the requests in flight and repeats those that nobody got. All
// session pools share it.
type NATS struct {
	name     string
	cfg      atomic.Pointer[NATSConfig]
	req      Requester
	inFlight atomic.Int64
}

// NewNATS returns a destination that sends its requests by req.
func NewNATS(name string, cfg NATSConfig, req Requester) *NATS {
	n := &NATS{name: name, req: req}
	n.Apply(cfg)
	return n
}

// Apply changes the settings for requests that begin from now on.
func (n *NATS) Apply(cfg NATSConfig) { n.cfg.Store(&cfg) }

// InFlight is the number of requests under way.
func (n *NATS) InFlight() int64 { return n.inFlight.Load() }

// Waits between two attempts to find a responder (decision D14).
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 100 * time.Millisecond
)

// errRequestTooLarge tells a request that NATS will not carry (413, decision D18) from a reply that is too large (500).
var errRequestTooLarge = fmt.Errorf("request over NATS: %w", port.ErrTooLarge)

// sender is what a NATS request says about who it is made for; empty values are left out.
type sender struct {
	conn, user, auth, requestID string
}

// enter takes a place among the requests in flight, which is given back by counting inFlight down.
func (n *NATS) enter(cfg *NATSConfig) bool {
	if n.inFlight.Add(1) > int64(cfg.MaxInFlight) {
		n.inFlight.Add(-1)
		return false
	}
	return true
}

// attempts is one request that is sent until somebody gets it. The message has no header yet.
type attempts struct {
	message         port.Message
	who             sender
	start, deadline time.Time
	patience        time.Duration // with nobody there
}

// request sends one request, again while nobody listens, until no-responders-timeout. A timeout is never repeated: the
// backend may have got the request (decision D14).
func (n *NATS) request(ctx context.Context, subject string, who sender, body []byte) (port.Message, error) {
	cfg := n.cfg.Load()
	if !n.enter(cfg) {
		return port.Message{}, port.ErrQueueFull
	}
	defer n.inFlight.Add(-1)
	start := time.Now()
	a := attempts{
		port.Message{Subject: subject, Data: body}, who, start, start.Add(cfg.MaxRequestTimeout), cfg.NoRespondersTimeout,
	}
	inTime, cancel := context.WithDeadlineCause(ctx, a.deadline, port.ErrTimeout)
	defer cancel()
	reply, err := n.send(inTime, a, 1)
	if errors.Is(err, port.ErrNoResponders) {
		return n.again(ctx, a, err)
	}
	return reply, err
}

// again goes on with a request that nobody got at first; err says so.
func (n *NATS) again(ctx context.Context, a attempts, err error) (port.Message, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, a.deadline, port.ErrTimeout)
	defer cancel()
	wait := firstRetry
	for attempt := 2; ; attempt++ {
		left := a.patience - time.Since(a.start)
		if left <= 0 {
			return port.Message{}, err
		}
		if err := pause(ctx, min(wait, left)); err != nil {
			return port.Message{}, causeOf(ctx, err)
		}
		wait = min(2*wait, lastRetry)
		var reply port.Message
		if reply, err = n.send(ctx, a, attempt); !errors.Is(err, port.ErrNoResponders) {
			return reply, err
		}
	}
}

// send makes one attempt.
func (n *NATS) send(ctx context.Context, a attempts, attempt int) (port.Message, error) {
	a.message.Header, _ = a.who.header(strconv.FormatInt(a.deadline.UnixMilli(), 10))
	if attempt > 1 {
		a.message.Header[port.HeaderAttempt] = []string{strconv.Itoa(attempt)}
	}
	reply, err := n.req.Request(ctx, port.LaneCalls, a.message)
	switch {
	case err == nil:
		return reply, nil
	case errors.Is(err, port.ErrTooLarge), errors.Is(err, port.ErrNoResponders):
		return port.Message{}, notSent(err)
	}
	return port.Message{}, causeOf(ctx, err)
}

// notSent tells a request that NATS will not carry from a reply that is too large.
func notSent(err error) error {
	if errors.Is(err, port.ErrTooLarge) {
		return errRequestTooLarge
	}
	return err
}

// complete tells whether no value is left out.
func (s sender) complete() bool {
	return s.conn != "" && s.user != "" && s.auth != "" && s.requestID != ""
}

// Places of the values that change with each request.
const (
	valueDeadline = 1
	valueSender   = 3 // conn, user, auth, requestID
)

// header builds the headers of a first attempt. All its values share one array: as long as the sender is complete, set
// makes the headers of another request of it.
func (s sender) header(deadline string) (h port.Header, values []string) {
	v := []string{"application/json", deadline, "1", s.conn, s.user, s.auth, s.requestID}
	h = make(port.Header, len(v))
	h["Content-Type"] = v[0:1:1]
	h[port.HeaderDeadline] = v[valueDeadline : valueDeadline+1 : valueDeadline+1]
	h[port.HeaderAttempt] = v[2:3:3]
	for i, name := range [...]string{port.HeaderConn, port.HeaderUser, port.HeaderAuth, port.HeaderRequestID} {
		if i += valueSender; v[i] != "" {
			h[name] = v[i : i+1 : i+1]
		}
	}
	return h, v
}

// set changes the values of complete headers.
func (s sender) set(values []string, deadline string) {
	values[valueDeadline] = deadline
	copy(values[valueSender:], []string{s.conn, s.user, s.auth, s.requestID})
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// causeOf prefers why a context ended (the client left, our deadline passed) to the bare fact.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// serviceError reads the error of a NATS service's reply: ok is false when the reply is no error. A code outside
// 400–599 is 500 (decision D14).
func serviceError(m port.Message) (status int, ok bool) {
	text := m.Header.Get(port.HeaderErrorCode)
	if text == "" {
		if m.Header.Get(port.HeaderError) != "" {
			return 500, true
		}
		return 0, false
	}
	code, err := strconv.Atoi(text)
	if err != nil || code < 400 || code > 599 {
		return 500, true
	}
	return code, true
}

// callSubject is where a method of this destination is served.
func (n *NATS) callSubject(space names.Space, m names.Method) (string, bool) {
	return space.Call(n.cfg.Load().Subject, m)
}

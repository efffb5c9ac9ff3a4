package backend

import (
	"context"
	"sync"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// post is a client's call to an HTTP destination. It is used again after its end.
type post struct {
	dest   HTTPDestination
	call   port.Call
	fields [2]port.Field
	weak   bool
	waiter Waiter
	// ready and queued are made once.
	ready  func()
	queued func(leave func())
}

var posts = sync.Pool{New: func() any {
	p := &post{}
	p.ready = func() { p.waiter.Answered(Answer{post: p}) }
	p.queued = func(leave func()) { p.waiter.Begin(Flight{leave: leave}) }
	return p
}}

func (p *post) fill(d HTTPDestination, dest names.Destination, level Level, q *CallRequest, w Waiter) {
	p.dest, p.weak, p.waiter = d, level.Weak(), w
	p.fields = [2]port.Field{contentType, {Name: "Authorization", Value: q.Authorization}}
	p.call = port.Call{
		Path:       dest.Prefix() + "/" + q.Method.Path(),
		Fields:     p.fields[:],
		RequestID:  q.id(),
		Body:       q.Body,
		BeforeWait: q.BeforeWait,
		Ready:      p.ready,
		Queued:     p.queued,
	}
}

// try makes the call, or goes on with it; ended is false when it waits for a free backend.
func (p *post) try(ctx context.Context) (r Result, ended bool) {
	reply, err := p.dest.Call(ctx, &p.call)
	if err == port.ErrQueued { //nolint:errorlint // By then the call belongs to whoever is told: nothing else may say so.
		return Result{}, false
	}
	if err != nil {
		r = failed(causeOf(ctx, err))
	} else {
		r = meaning(reply.Status, reply.Body, p.weak || jsontext.IsMediaType(reply.Header["Content-Type"]))
	}
	r.Backend = reply.Backend
	p.dest, p.call, p.fields, p.waiter = nil, port.Call{}, [2]port.Field{}, nil
	posts.Put(p)
	return r, true
}

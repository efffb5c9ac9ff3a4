package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/lattice"
)

// request is one request on its way through the handler.
type request struct {
	*Handler
	s     *Settings
	w     http.ResponseWriter
	r     *http.Request
	route routed
}

// maxPooled is the largest body buffer that is kept for the next request, in bytes.
const maxPooled = 64 << 10

// bodyTimeout bounds the time that a body may take, from the end of the request's head on.
const bodyTimeout = 30 * time.Second

// limitBody starts the time of a request's body, if it has one. It also bounds net/http's reading of what a handler has
// left over. A writer that knows no deadlines has no connection that could wait.
func limitBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// serve checks the body and acts.
func (q *request) serve() {
	kind := q.route.endpoint.body()
	if kind == bodyJSON && !q.pool.Weak() && !jsontext.IsMediaType(q.r.Header["Content-Type"]) {
		q.status(q.w, http.StatusBadRequest)
		return
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxPooled {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	if code := q.read(buf, kind); code != 0 {
		q.status(q.w, code)
		return
	}
	q.answer(q.act(buf.Bytes()))
}

// read reads and checks the body. A status other than 0 is the answer.
func (q *request) read(buf *bytes.Buffer, kind bodyKind) int {
	limit := q.s.MaxPayloadSize
	switch {
	case q.r.ContentLength > limit:
		return http.StatusRequestEntityTooLarge
	case q.r.ContentLength == 0:
	default:
		n, err := buf.ReadFrom(io.LimitReader(q.r.Body, limit+1))
		switch {
		case err != nil:
			return http.StatusBadRequest
		case n > limit:
			return http.StatusRequestEntityTooLarge
		}
		_ = http.NewResponseController(q.w).SetReadDeadline(time.Time{})
	}
	switch {
	case kind == bodyNone && buf.Len() > 0, kind == bodyJSON && jsontext.Check(buf.Bytes()) != nil:
		return http.StatusBadRequest
	}
	return 0
}

// act does what the request asks for.
func (q *request) act(body []byte) error {
	ctx := q.r.Context()
	switch q.route.endpoint {
	case subscribe:
		return q.pool.Subscribe(ctx, q.route.conn, q.route.topic)
	case unsubscribe:
		return q.pool.Unsubscribe(ctx, q.route.conn, q.route.topic)
	case publish:
		return q.pool.Publish(ctx, q.route.topic, body)
	case latticeAttach, latticeUpdate:
		return q.lattice(ctx, body)
	case latticeDetach:
		return q.pool.DetachLattice(ctx, q.route.conn, q.route.namespace)
	case usersDetach:
		return q.pool.UnwatchUsers(ctx, q.route.conn)
	default:
		return q.users(ctx, body)
	}
}

// lattice updates a namespace and, if that is wanted, attaches a connection to it.
func (q *request) lattice(ctx context.Context, body []byte) error {
	d, err := lattice.ParseDelta(body, time.Now().UnixMilli(), q.s.Limits)
	if err != nil {
		return err
	}
	if q.route.endpoint == latticeUpdate {
		return q.pool.UpdateLattice(ctx, q.route.namespace, d)
	}
	return q.pool.AttachLattice(ctx, q.route.conn, q.route.namespace, d)
}

// users has a connection, or all of a user, told about users.
func (q *request) users(ctx context.Context, body []byte) error {
	list, ok := userList(body)
	if !ok {
		return errBadBody
	}
	if q.route.endpoint == usersAttach {
		return q.pool.WatchUsers(ctx, q.route.conn, list)
	}
	return q.pool.UpdateUsers(ctx, q.route.user, list)
}

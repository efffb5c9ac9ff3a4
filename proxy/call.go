package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/swindon-go/swindon/internal/port"
)

// maxReplyBody bounds the body of a reply to a Call.
const maxReplyBody = 10 << 20

// Call sends a POST of the gateway's own and reads the whole reply, for which max-request-timeout is there from the
// first byte written to the last one read. A 1xx reply is a reply like any other: its status tells. When ctx ends, the
// request is given up and its connection closed. A Call is never sent twice.
//
// Errors, to be asked for with errors.Is: port.ErrQueueFull, port.ErrQueueTimeout, port.ErrTimeout, port.ErrTooLarge,
// port.ErrGone, the cause of ctx; all others are failures of the network or answers that are no HTTP. The reply names
// the backend even then, if there was one.
//
// With call.Ready set, a Call that would have to wait for a free backend returns port.ErrQueued instead: Ready is called
// once, when there is one or the waiting has come to an end, perhaps before Call has returned, and then Call must be
// called again.
func (d *Destination) Call(ctx context.Context, call *port.Call) (port.Reply, error) {
	x, again := call.Place.(*exchange)
	if !again {
		x = newExchange(d, http.MethodPost)
		x.writeCall(call)
		x.turn.call = call
		call.Place = x
	}
	x.turn.beforeWait = call.BeforeWait
	err := x.roundTrip(ctx)
	if err == errQueued { //nolint:errorlint // It is never wrapped, and what it says must be known exactly.
		return port.Reply{}, err
	}
	call.Place = nil
	defer x.free()
	if err != nil {
		return port.Reply{Backend: x.backend}, err
	}
	defer x.finish()
	reply := port.Reply{Status: x.head.status, Backend: x.backend}
	body, err := x.readReply(ctx)
	if err != nil {
		return reply, err
	}
	reply.Header, reply.Body = x.head.header(), body
	return reply, nil
}

// writeCall writes the request head, and a small body behind it.
func (x *exchange) writeCall(call *port.Call) {
	b := x.out
	b = append(b, "POST "...)
	b = append(b, call.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if x.set.host != "" {
		b = append(b, x.set.host...)
	} else {
		x.hostAt = len(b) // the backend's address, once it is known
	}
	b = append(b, "\r\n"...)
	if x.set.idHeader != "" && call.RequestID != "" {
		b = appendField(b, x.set.idHeader, call.RequestID)
	}
	b = appendField(b, "User-Agent", x.d.agent)
	for _, f := range call.Fields {
		b = appendField(b, f.Name, f.Value)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(call.Body)), 10)
	b = append(b, "\r\n\r\n"...)
	x.out = b
	x.setBody(call.Body)
}

// setBody takes a body that is there completely.
func (x *exchange) setBody(p []byte) {
	if len(p) <= inlineBody {
		x.out = append(x.out, p...)
		return
	}
	x.body = p
}

// readReply reads the whole body.
func (x *exchange) readReply(ctx context.Context) ([]byte, error) {
	if x.resp.kind == bodyLength && x.resp.left > maxReplyBody {
		return nil, fmt.Errorf("backend %s: reply of %d bytes: %w", x.backend, x.resp.left, port.ErrTooLarge)
	}
	var out []byte
	if x.resp.kind == bodyLength && x.resp.left <= bufferSize {
		out = make([]byte, 0, x.resp.left)
	}
	for {
		data, used, err := x.resp.next(x.conn.unread())
		if err != nil {
			return nil, fmt.Errorf("backend %s: %w", x.backend, err)
		}
		if len(out)+len(data) > maxReplyBody {
			return nil, fmt.Errorf("backend %s: %w", x.backend, port.ErrTooLarge)
		}
		out = append(out, data...)
		x.conn.r += used
		if x.resp.done {
			return out, nil
		}
		if used > 0 {
			continue
		}
		if err := x.more(ctx, 0); err != nil {
			return nil, err
		}
	}
}

// header returns all header fields, each name in its canonical form.
func (h *head) header() http.Header {
	out := make(http.Header, len(h.fields))
	values := make([]string, len(h.fields))
	for i, f := range h.fields {
		values[i] = f.value
		name := http.CanonicalHeaderKey(f.name)
		if old := out[name]; old != nil {
			out[name] = append(old, f.value)
			continue
		}
		out[name] = values[i : i+1 : i+1]
	}
	return out
}

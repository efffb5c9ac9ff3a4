package backend

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Text is a string that may be absent: absent becomes null in JSON.
type Text struct {
	Value string
	Set   bool
}

// Header is one header of the handshake that the backend asked to see.
type Header struct {
	Name  string
	Value Text
}

// AuthRequest is what a backend is asked about a new connection.
type AuthRequest struct {
	Conn          names.ConnID
	Cookie        Text
	Authorization Text
	// Query is the raw query string without its question mark.
	Query string
	// Headers become the keyword http_headers; nil leaves it out (decision D10).
	Headers []Header
	// RemoteAddr becomes the keyword remote_addr unless it is empty (decision D10).
	RemoteAddr string
}

// Identity is a granted authorization.
type Identity struct {
	User names.UserID
	// Hello is the whole JSON object that the backend answered.
	Hello []byte
}

// Refusal is an authorization that was not granted (protocol §2.6).
type Refusal struct {
	// Status is what the client is told: 400, 401, 403, 404, 410, 500 or 503.
	Status int
	// Data is a JSON text, "null" where the backend's words do not reach the client.
	Data []byte
	// Cause says for the log what happened, Backend is the address of the server that was asked, if one was.
	Cause   error
	Backend string
}

// The JSON text that a client gets where there is nothing to tell.
var null = []byte("null")

func refuse(status int, cause error) *Refusal {
	return &Refusal{Status: status, Data: null, Cause: cause}
}

// Refuse is a refusal that the gateway itself decides on, without asking a backend.
func Refuse(status int, why string) *Refusal { return refuse(status, errors.New(why)) }

// Authorize asks the destination about a connection. A refusal tells everything that can go wrong; when ctx ends the
// cause of its end is in the refusal.
func (c *Caller) Authorize(ctx context.Context, dest names.Destination, level Level, q *AuthRequest) (Identity, *Refusal) {
	d, err := c.find(dest.Name)
	if err != nil {
		return Identity{}, refuse(500, err)
	}
	body := q.append(make([]byte, 0, 256+len(q.Cookie.Value)+len(q.Authorization.Value)+len(q.Query)))
	id := q.Conn.String() + "-auth"
	if d.NATS != nil {
		return c.authorizeNATS(ctx, d.NATS, q.Conn, id, body)
	}
	reply, err := d.HTTP.Call(ctx, &port.Call{
		Path:      dest.Prefix() + level.path(names.AuthorizeConnection),
		Fields:    []port.Field{contentType},
		RequestID: id,
		Body:      body,
	})
	if err != nil {
		refusal := refuse(authStatus(err), causeOf(ctx, err))
		refusal.Backend = reply.Backend
		return Identity{}, refusal
	}
	who, refusal := judge(reply.Status, reply.Body, level.Weak() || jsontext.IsMediaType(reply.Header["Content-Type"]))
	if refusal != nil {
		refusal.Backend = reply.Backend
	}
	return who, refusal
}

func (c *Caller) authorizeNATS(ctx context.Context, n *NATS, conn names.ConnID, id string, body []byte) (Identity, *Refusal) {
	reply, err := n.request(ctx, c.space.Auth(names.AuthorizeConnection), sender{conn: conn.String(), requestID: id}, body)
	if err != nil {
		return Identity{}, refuse(authStatus(err), err)
	}
	if status, failed := serviceError(reply); failed {
		return judge(status, reply.Data, true)
	}
	return judge(200, reply.Data, true)
}

// authStatus is what a client is told when no backend answered.
func authStatus(err error) int {
	switch {
	case errors.Is(err, port.ErrQueueFull), errors.Is(err, port.ErrQueueTimeout),
		errors.Is(err, port.ErrNoResponders), errors.Is(err, port.ErrUnavailable):
		return 503
	case errors.Is(err, port.ErrGone):
		return 404
	}
	return 500
}

// judge gives an authorization's reply its meaning (protocol §2.5, §2.6).
func judge(status int, body []byte, isJSON bool) (Identity, *Refusal) {
	switch status {
	case 200:
		if !isJSON {
			return Identity{}, refuse(500, errors.New("reply has no JSON content type"))
		}
		who, err := parseIdentity(body)
		if err != nil {
			return Identity{}, refuse(500, err)
		}
		return who, nil
	case 400, 401, 403, 404, 410, 500, 503:
		r := refuse(status, fmt.Errorf("backend answered %d", status))
		if isJSON && jsontext.Check(body) == nil {
			r.Data = jsontext.Trim(body)
		}
		return Identity{}, r
	}
	return Identity{}, refuse(500, fmt.Errorf("backend answered %d", status))
}

func parseIdentity(body []byte) (Identity, error) {
	if err := jsontext.Check(body); err != nil {
		return Identity{}, fmt.Errorf("reply: %w", err)
	}
	hello := jsontext.Trim(body)
	v, ok := jsontext.Lookup(hello, "user_id")
	if !ok {
		return Identity{}, errors.New("reply has no user_id")
	}
	s, ok := jsontext.Unquote(v)
	if !ok {
		return Identity{}, errors.New("user_id is no string")
	}
	user, err := names.ParseUserID(s)
	if err != nil {
		return Identity{}, err
	}
	return Identity{User: user, Hello: hello}, nil
}

// append appends the body of the authorization request (protocol §2.4).
func (q *AuthRequest) append(b []byte) []byte {
	b = append(b, `[{"connection_id":"`...)
	b = q.Conn.AppendTo(b)
	b = append(b, `"},[],{"http_cookie":`...)
	b = q.Cookie.append(b)
	b = append(b, `,"http_authorization":`...)
	b = q.Authorization.append(b)
	b = append(b, `,"url_querystring":`...)
	b = jsontext.AppendQuoted(b, q.Query)
	if q.Headers != nil {
		b = append(b, `,"http_headers":{`...)
		for i, h := range q.Headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendQuoted(b, h.Name)
			b = append(b, ':')
			b = h.Value.append(b)
		}
		b = append(b, '}')
	}
	if q.RemoteAddr != "" {
		b = append(b, `,"remote_addr":`...)
		b = jsontext.AppendQuoted(b, q.RemoteAddr)
	}
	return append(b, "}]"...)
}

func (t Text) append(b []byte) []byte {
	if !t.Set {
		return append(b, null...)
	}
	return jsontext.AppendQuoted(b, t.Value)
}

var contentType = port.Field{Name: "Content-Type", Value: "application/json"}

// Credentials is what a call's Authorization says about its user, without the scheme: base64 of {"user_id":"…"}
// (protocol §4.2).
func Credentials(user names.UserID) string {
	b := make([]byte, 0, len(user)+16)
	b = append(b, `{"user_id":`...)
	b = jsontext.AppendQuoted(b, user)
	b = append(b, '}')
	return base64.StdEncoding.EncodeToString(b)
}

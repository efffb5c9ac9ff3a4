package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// endpoint is one line of the table of protocol §6.3.
type endpoint int

const (
	subscribe endpoint = iota + 1
	unsubscribe
	publish
	latticeAttach
	latticeDetach
	latticeUpdate
	usersAttach
	usersDetach
	usersUpdate
)

// bodyKind is what an endpoint expects as body.
type bodyKind int

const (
	bodyNone    bodyKind = iota + 1 // must be empty
	bodyJSON                        // JSON with its content type
	bodyIgnored                     // is not looked at
)

func (e endpoint) body() bodyKind {
	switch e {
	case subscribe, unsubscribe:
		return bodyNone
	case latticeDetach, usersDetach:
		return bodyIgnored
	default:
		return bodyJSON
	}
}

// routed is where a request goes; with a status it goes nowhere.
type routed struct {
	status    int
	endpoint  endpoint
	conn      names.ConnID
	topic     names.Topic
	namespace names.Namespace
	user      names.UserID
}

var notFound = routed{status: http.StatusNotFound}

// route finds the endpoint for a method and a raw target. Whatever is not in the table is 404, wrong methods too.
func route(method, target string) routed {
	tail, ok := strings.CutPrefix(target, "/v1/")
	if !ok {
		return notFound
	}
	kind, tail, ok := strings.Cut(tail, "/")
	if !ok {
		return notFound
	}
	switch kind {
	case "connection":
		return routeConnection(method, tail)
	case "publish":
		t, err := names.ParseTopicPath(tail)
		if err != nil || method != http.MethodPost {
			return notFound
		}
		return routed{endpoint: publish, topic: t}
	case "lattice":
		return routeLattice(method, tail)
	case "user":
		return routeUser(method, tail)
	}
	return notFound
}

// routeConnection routes what follows "/v1/connection/".
func routeConnection(method, tail string) routed {
	cid, tail, ok := strings.Cut(tail, "/")
	if !ok {
		return notFound
	}
	kind, name, more := strings.Cut(tail, "/")
	if kind == "lattices" && more {
		// A reserved namespace is forbidden whatever else is wrong (protocol §6.4).
		if _, err := names.ParseNamespacePath(name); errors.Is(err, names.ErrReserved) {
			return routed{status: http.StatusForbidden}
		}
	}
	id, err := names.ParseConnID(cid)
	if err != nil {
		return notFound
	}
	r := routed{conn: id}
	switch kind {
	case "subscriptions":
		r.endpoint = pick(method, subscribe, unsubscribe)
		r.topic, err = names.ParseTopicPath(name)
	case "lattices":
		r.endpoint = pick(method, latticeAttach, latticeDetach)
		r.namespace, err = names.ParseNamespacePath(name)
	case "users":
		// Further segments are not looked at.
		r.endpoint = pick(method, usersAttach, usersDetach)
		more = true
	default:
		return notFound
	}
	if err != nil || !more || r.endpoint == 0 {
		return notFound
	}
	return r
}

// pick chooses between the endpoint for PUT and the one for DELETE.
func pick(method string, put, del endpoint) endpoint {
	switch method {
	case http.MethodPut:
		return put
	case http.MethodDelete:
		return del
	}
	return 0
}

func routeLattice(method, tail string) routed {
	ns, err := names.ParseNamespacePath(tail)
	switch {
	case method != http.MethodPost:
		return notFound
	case errors.Is(err, names.ErrReserved):
		// Decision D17; the original took it.
		return routed{status: http.StatusForbidden}
	case err != nil:
		return notFound
	}
	return routed{endpoint: latticeUpdate, namespace: ns}
}

// routeUser routes "/v1/user/<id>/users". The empty id is legal and names nobody (decision D5).
func routeUser(method, tail string) routed {
	id, tail, ok := strings.Cut(tail, "/")
	kind, _, _ := strings.Cut(tail, "/")
	if !ok || kind != "users" || method != http.MethodPut {
		return notFound
	}
	if id == "" {
		return routed{endpoint: usersUpdate}
	}
	user, err := names.ParseUserID(id)
	if err != nil {
		return notFound
	}
	return routed{endpoint: usersUpdate, user: user}
}

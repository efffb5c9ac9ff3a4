package api

import (
	"errors"
	"net/http"

	"github.com/swindon-go/swindon/internal/port"
)

var errBadBody = errors.New("body is not what the endpoint takes")

// statusOf is the one table from what went wrong to the status of the answer (decisions D15–D18, D22). Only port.ErrGone
// is not in it: see answer.
func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusNoContent
	case errors.Is(err, errBadBody), errors.Is(err, port.ErrLimit), errors.Is(err, port.ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, port.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, port.ErrStoreFull):
		return http.StatusInsufficientStorage
	case errors.Is(err, port.ErrUnavailable), errors.Is(err, port.ErrTimeout):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Warning is the header of a 204 that had no effect, and its value.
const (
	Warning        = "X-Swindon-Warning"
	ConnectionGone = "connection-gone"
)

const goneBody = `{"error":"connection-gone"}` + "\n"

// answer writes the outcome of a request.
func (q *request) answer(err error) {
	if errors.Is(err, port.ErrGone) {
		q.gone()
		return
	}
	code := statusOf(err)
	if code == http.StatusServiceUnavailable {
		q.w.Header()["Retry-After"] = retryAfter
	}
	if code >= http.StatusInternalServerError {
		q.log.Warn("API request failed", "method", q.r.Method, "path", q.r.RequestURI, "status", code, "err", err)
	}
	q.status(q.w, code)
}

var (
	retryAfter = []string{"1"}
	goneValue  = []string{ConnectionGone}
)

// gone answers a request for a connection that is no more: to drop-in backends it has succeeded (decision D16).
func (q *request) gone() {
	if !q.s.Strict {
		q.w.Header()[Warning] = goneValue
		q.status(q.w, http.StatusNoContent)
		return
	}
	q.w.Header()["Content-Type"] = []string{"application/json"}
	q.w.WriteHeader(http.StatusNotFound)
	_, _ = q.w.Write([]byte(goneBody))
}

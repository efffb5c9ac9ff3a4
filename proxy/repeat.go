package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/swindon-go/swindon/internal/port"
)

// mayRepeat tells whether the request may be sent again after err (decision D30): it went out on a connection that had
// been used before, nothing was answered, and either it was not sent completely or doing it twice does no harm. POST
// is sent again only when not a byte of it was written.
func (x *exchange) mayRepeat(c *conn, err error) bool {
	if !c.reused || !errors.Is(err, errClosed) {
		return false
	}
	if x.stream != nil && x.stream.started.Load() {
		return false
	}
	switch x.method {
	case http.MethodPost:
		return x.sent == sentNothing
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	default:
		return x.sent != sentAll
	}
}

// errClosed says that the backend closed the connection.
var errClosed = errors.New("connection closed by the backend")

// explain turns an error of reading or writing into one that says why.
func explain(ctx context.Context, c *conn, err error) error {
	switch {
	case c.aborted.Load():
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return port.ErrGone // the destination was closed and its time is over
	case errors.Is(err, os.ErrDeadlineExceeded):
		return port.ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), isReset(err):
		return fmt.Errorf("%w: %w", errClosed, err)
	}
	return err
}

package http1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// What http.ResponseController calls.

// SetReadDeadline does nothing: plain requests have no body, and the wait for the next one is not the handler's.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline sets the deadline for the rest of this response.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.deadline = true
	return w.c.lc.SetWriteDeadline(t)
}

// EnableFullDuplex does nothing: there is no body to be read.
func (w *response) EnableFullDuplex() error { return nil }

// Hijack gives the connection to the handler.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.wrote {
		if err := w.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	w.q.release()
	w.hijacked = true
	c := w.c
	c.gone = true
	c.s.conns.Track(c.lc, http.StateHijacked) // now, since handlers may stay with it for long
	early := slices.Clone(c.unread())
	c.r = c.w
	_ = c.lc.SetDeadline(time.Time{}) // from now on the limits are the new owner's
	br := bufio.NewReader(io.MultiReader(bytes.NewReader(early), c.lc))
	_, _ = br.Peek(len(early)) // so that they are buffered, where owners look for them
	return c.lc, bufio.NewReadWriter(br, bufio.NewWriter(c.lc)), nil
}

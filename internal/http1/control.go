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

// SetWriteDeadline sets the deadline for the rest of this response.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.deadline = true
	return w.c.lc.SetWriteDeadline(t)
}

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

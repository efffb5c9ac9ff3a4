package http1

import "io"

// sniffed is from how many bytes a content type is guessed.
const sniffed = 512

// ReadFrom copies the body from src, by sendfile or splice where the kernel can. Like net/http it writes nothing before
// src has given something.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if !w.wrote || w.untyped && !w.committed {
		if n, err = io.Copy(onlyWriter{w}, io.LimitReader(src, sniffed)); err != nil || n < sniffed {
			return n, err
		}
	}
	from := w.limited(src)
	if from == nil {
		m, err := io.Copy(onlyWriter{w}, src)
		return n + m, err
	}
	if err := w.FlushError(); err != nil {
		return n, err
	}
	m, err := w.c.lc.ReadFrom(from)
	w.written += m
	if err != nil {
		w.closing = true // whoever's fault it was
	}
	return n + m, err
}

// limited returns a reader that the socket can copy from by itself, and that gives no more than the declared length. It
// is nil when there is none: a reader within two that limit would not be found by sendfile.
func (w *response) limited(src io.Reader) io.Reader {
	if w.hijacked || w.length < 0 || w.framing == framingChunked || w.silent() {
		return nil
	}
	left := w.length - w.written
	if l, ok := src.(*io.LimitedReader); ok {
		if l.N > left {
			return nil
		}
		return l
	}
	return &io.LimitedReader{R: src, N: left}
}

// onlyWriter hides ReadFrom.
type onlyWriter struct{ io.Writer }

package web

import (
	"io"
	"net/http"
)

// Writer is the response writer that handlers get: it adds the common headers when the head is written and notes
// status and bytes in the record. It unwraps, so http.ResponseController, sendfile and hijacking work through it.
// Like every http.ResponseWriter it serves one goroutine.
type Writer struct {
	http.ResponseWriter
	rec   *Record
	wrote bool
}

// NewWriter returns a writer for one request.
func NewWriter(w http.ResponseWriter, rec *Record) *Writer {
	return &Writer{ResponseWriter: w, rec: rec}
}

// Reset makes w the writer for another request. Whoever owns a connection can use one Writer for all its requests.
func (w *Writer) Reset(below http.ResponseWriter, rec *Record) {
	*w = Writer{ResponseWriter: below, rec: rec}
}

// Unwrap returns the writer below, for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader writes the head with the common headers. Informational responses (1xx) pass as they are.
func (w *Writer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if !w.wrote {
		w.wrote = true
		w.rec.Status = status
		w.rec.Decorate(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (w *Writer) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.rec.Bytes += int64(n)
	return n, err
}

// ReadFrom copies the body from src, by sendfile where the kernel can.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(w.ResponseWriter, src)
	w.rec.Bytes += n
	return n, err
}

// Flush sends what is buffered.
func (w *Writer) Flush() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Wrote tells whether the head has been written.
func (w *Writer) Wrote() bool { return w.wrote }

var (
	_ http.ResponseWriter = (*Writer)(nil)
	_ io.ReaderFrom       = (*Writer)(nil)
	_ http.Flusher        = (*Writer)(nil)
)

package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/web"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     func(*web.Writer)
		status int
		body   string
	}{
		"head":               {func(w *web.Writer) { w.WriteHeader(204) }, 204, ""},
		"head twice":         {func(w *web.Writer) { w.WriteHeader(404); w.WriteHeader(200) }, 404, ""},
		"write":              {func(w *web.Writer) { _, _ = io.WriteString(w, "abc") }, 200, "abc"},
		"read from":          {func(w *web.Writer) { _, _ = io.Copy(w, strings.NewReader("abcd")) }, 200, "abcd"},
		"flush":              {func(w *web.Writer) { w.Flush() }, 200, ""},
		"head, write, flush": {func(w *web.Writer) { w.WriteHeader(201); _, _ = w.Write([]byte("x")); w.Flush() }, 201, "x"},
	} {
		below := httptest.NewRecorder()
		rec := &web.Record{ServerName: "s"}
		w := web.NewWriter(below, rec)
		if w.Wrote() {
			t.Errorf("%s: wrote already", name)
		}
		tc.do(w)
		if below.Code != tc.status || below.Body.String() != tc.body || rec.Status != tc.status || rec.Bytes != int64(len(tc.body)) || !w.Wrote() {
			t.Errorf("%s: got %d %q, record %+v", name, below.Code, below.Body, rec)
		}
		if got := below.Result().Header["Server"]; len(got) != 1 {
			t.Errorf("%s: Server %q", name, got)
		}
		if w.Unwrap() != http.ResponseWriter(below) {
			t.Errorf("%s: does not unwrap", name)
		}
		next := &web.Record{}
		w.Reset(httptest.NewRecorder(), next)
		w.WriteHeader(500)
		if rec.Status == 500 || next.Status != 500 {
			t.Errorf("%s: after Reset the old record got the status", name)
		}
	}
}

// informational passes 1xx on, as net/http does.
type informational struct {
	http.ResponseWriter
	statuses []int
}

func (i *informational) WriteHeader(status int) { i.statuses = append(i.statuses, status) }

func TestWriterPassesInformationalHeadsUndecorated(t *testing.T) {
	t.Parallel()
	below := &informational{ResponseWriter: httptest.NewRecorder()}
	rec := &web.Record{ServerName: "s"}
	w := web.NewWriter(below, rec)
	w.WriteHeader(100)
	if w.Wrote() || rec.Status != 0 || below.Header().Get("Server") != "" {
		t.Errorf("after 100: %+v, %v", rec, below.Header())
	}
	w.WriteHeader(101)
	if !w.Wrote() || rec.Status != 101 || below.Header().Get("Server") != "s" || len(below.statuses) != 2 {
		t.Errorf("after 101: %+v, %v, %v", rec, below.Header(), below.statuses)
	}
}

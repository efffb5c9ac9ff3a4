package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/web"
)

func TestExtraHeaders(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := web.NewExtraHeaders(map[string]string{
		"X-Some-Header": "value", "x-a": "b", "Content-Length": "100500", "transfer-encoding": "chunked",
		"X-Split": "a\r\nX-Evil: b", "X-Lf\nX-Evil": "b", "X-Cr": "a\rb", "Server": "mine", "cOnTent-type": "x/y",
	}, slog.New(slog.NewTextHandler(&log, nil)))
	h := http.Header{"X-A": {"own"}, "Content-Type": {"text/plain"}}
	e.AddTo(h)
	want := http.Header{"X-Some-Header": {"value"}, "X-A": {"own", "b"}, "Server": {"mine"}, "Content-Type": {"x/y"}}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
	if n := strings.Count(log.String(), "Extra header is ignored"); n != 5 {
		t.Errorf("%d warnings, want 5: %s", n, &log)
	}
	if !e.HasContentType() {
		t.Error("Content-Type is not seen")
	}
	// What one response does to its headers does not reach the next.
	h["X-Some-Header"] = append(h["X-Some-Header"], "more")
	again := http.Header{}
	e.AddTo(again)
	if d := cmp.Diff([]string{"value"}, again["X-Some-Header"]); d != "" {
		t.Error(d)
	}
}

func TestNoExtraHeaders(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	web.ExtraHeaders{}.AddTo(h)
	e := web.NewExtraHeaders(nil, slog.New(slog.DiscardHandler))
	e.AddTo(h)
	if len(h) != 0 || e.HasContentType() {
		t.Errorf("got %v", h)
	}
}

package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/web"
)

func TestDecorate(t *testing.T) {
	t.Parallel()
	full := web.Record{
		ID: "id", Route: "r", Authorizer: "a", Allow: []string{"x", "y"}, Deny: "d", FilePath: `/a "b"\` + "\n", ServerName: "s", Debug: true,
	}
	for name, tc := range map[string]struct {
		change func(*web.Record)
		want   http.Header
	}{
		"all": {func(*web.Record) {}, http.Header{
			"Server": {"s"}, "X-Swindon-Route": {"r"}, "X-Swindon-File-Path": {`"/a \"b\"\\\n"`}, "X-Swindon-Request-Id": {"id"},
			"X-Swindon-Authorizer": {"a"}, "X-Swindon-Allow": {"x, y"}, "X-Swindon-Deny": {"d"},
		}},
		"no debugging":   {func(r *web.Record) { r.Debug = false }, http.Header{"Server": {"s"}}},
		"nothing at all": {func(r *web.Record) { r.Debug, r.ServerName = false, "" }, http.Header{}},
		"bare": {func(r *web.Record) { *r = web.Record{ID: "id", Debug: true, FilePath: "/a b'c"} }, http.Header{
			"X-Swindon-Request-Id": {"id"}, "X-Swindon-File-Path": {`"/a b'c"`},
		}},
	} {
		rec := full
		tc.change(&rec)
		h := http.Header{}
		rec.Decorate(h)
		if d := cmp.Diff(tc.want, h); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRecordInContext(t *testing.T) {
	t.Parallel()
	if web.SetRecord(context.Background(), &web.Record{}) {
		t.Error("a context without a place took a record")
	}
	ctx := web.NewConnContext(context.Background())
	r := httptest.NewRequest("GET", "/a%20b?c", nil).WithContext(ctx)
	if rec := web.RecordOf(r); rec.Target != "/a%20b?c" || rec.ID == "" {
		t.Errorf("without a record: got %+v", rec)
	}
	for _, id := range []string{"one", "two"} {
		mine := &web.Record{ID: id}
		if !web.SetRecord(ctx, mine) || web.RecordOf(r) != mine {
			t.Errorf("%s: not found again", id)
		}
	}
	mine := &web.Record{}
	if web.RecordOf(r.WithContext(web.WithRecord(ctx, mine))) != mine {
		t.Error("WithRecord does not cover the connection's record")
	}
}

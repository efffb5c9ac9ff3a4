package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// ask returns the answer to a request.
func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

func TestReady(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	h := NewHandler(Deps{Checks: []Check{
		{Name: "listeners", Ready: func() error { return nil }},
		{Name: "nats", Ready: func() error {
			if away.Load() {
				return errors.New("nats is away")
			}
			return nil
		}},
	}})
	for _, c := range []struct {
		away   bool
		status int
		want   readiness
	}{
		{false, 200, readiness{Ready: true, Checks: map[string]string{"listeners": "ok", "nats": "ok"}}},
		{true, 503, readiness{Ready: false, Checks: map[string]string{"listeners": "ok", "nats": "nats is away"}}},
		{false, 200, readiness{Ready: true, Checks: map[string]string{"listeners": "ok", "nats": "ok"}}},
	} {
		away.Store(c.away)
		w := ask(h, "GET", "/ready")
		var got readiness
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		if diff := cmp.Diff(c.want, got); w.Code != c.status || diff != "" {
			t.Errorf("away %v: status %d\n%s", c.away, w.Code, diff)
		}
		if ct := w.Header().Get("Content-Type"); ct != "application/json" {
			t.Errorf("Content-Type %q", ct)
		}
		// Not ready is not dead.
		if w := ask(h, "GET", "/live"); w.Code != 200 || !strings.Contains(w.Body.String(), `"live": true`) {
			t.Errorf("live: %d %s", w.Code, w.Body)
		}
	}
}

func TestMetricsAndStatus(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "swindon_test_total", Help: "For the test."})
	reg.MustRegister(c)
	c.Add(3)
	h := NewHandler(Deps{Metrics: reg, Status: func() any { return map[string]int{"connections": 7} }})
	if w := ask(h, "GET", "/metrics"); w.Code != 200 || !strings.Contains(w.Body.String(), "\nswindon_test_total 3\n") {
		t.Errorf("metrics: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/status"); w.Code != 200 || w.Body.String() != "{\n  \"connections\": 7\n}\n" {
		t.Errorf("status: %d %s", w.Code, w.Body)
	}
	broken := NewHandler(Deps{Status: func() any { return func() {} }})
	if w := ask(broken, "GET", "/status"); w.Code != 500 || !strings.Contains(w.Body.String(), "cannot be shown") {
		t.Errorf("a status that is no JSON: %d %s", w.Code, w.Body)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	h := NewHandler(Deps{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 404},
		{"GET", "/ready/", 404},
		{"GET", "/READY", 404},
		{"GET", "/metrics", 404},
		{"GET", "/status", 404},
		{"POST", "/ready", 405},
		{"DELETE", "/live", 405},
		{"GET", "/ready", 200},
	} {
		w := ask(h, c.method, c.path)
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if allow := w.Header().Get("Allow"); (allow != "") != (c.status == 405) {
			t.Errorf("%s %s: Allow %q", c.method, c.path, allow)
		}
	}
}

// TestHead: over a real server, the same head as for GET and no body.
func TestHead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(NewHandler(Deps{}))
	defer srv.Close()
	resp, err := http.Head(srv.URL + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len("{\n  \"ready\": true,\n  \"checks\": {}\n}\n")) {
		t.Errorf("%d, Content-Length %d", resp.StatusCode, resp.ContentLength)
	}
}

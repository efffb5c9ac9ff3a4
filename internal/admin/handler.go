package admin

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/swindon-go/swindon/internal/web"
)

// scrapes bounds how many requests for /metrics are answered at a time; more get 503.
const scrapes = 4

// Check is one condition of readiness.
type Check struct {
	// Name stands in the answer of /ready: "nats", "listeners".
	Name string
	// Ready returns nil, or why the node should get no new clients. It must be quick and may be called concurrently.
	Ready func() error
}

// Deps is what the handler tells of.
type Deps struct {
	// Checks are asked in order at each /ready.
	Checks []Check
	// Metrics is what /metrics shows; nil: 404.
	Metrics prometheus.Gatherer
	// Status returns what /status shows as JSON; nil: 404. It may be called concurrently.
	Status func() any
}

// NewHandler answers /live (200 while the process answers at all), /ready (200, or 503 with the reasons), /metrics and
// /status. All answers but the metrics are JSON.
func NewHandler(d Deps) http.Handler {
	paths := map[string]http.Handler{
		"/live": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]bool{"live": true})
		}),
		"/ready": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { d.ready(w) }),
	}
	if d.Metrics != nil {
		paths["/metrics"] = promhttp.HandlerFor(d.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes})
	}
	if d.Status != nil {
		paths["/status"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, d.Status())
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := paths[r.URL.Path]
		switch {
		case !ok:
			web.Error(w, r, http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			web.ErrorWith(w, r, http.StatusMethodNotAllowed, http.Header{"Allow": {"GET, HEAD"}})
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// readiness is the answer of /ready. Checks holds "ok" or the reason under each name.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"`
}

func (d Deps) ready(w http.ResponseWriter) {
	a := readiness{Ready: true, Checks: make(map[string]string, len(d.Checks))}
	for _, c := range d.Checks {
		a.Checks[c.Name] = "ok"
		if err := c.Ready(); err != nil {
			a.Ready = false
			a.Checks[c.Name] = err.Error()
		}
	}
	status := http.StatusOK
	if !a.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, a)
}

// answer writes v as JSON; net/http leaves the body out for HEAD.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"status cannot be shown"}`)
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// Who asked may be gone.
	_, _ = w.Write(body)
}

package builtin

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/swindon-go/swindon/internal/web"
)

// Metric is one counter or level as !SelfStatus shows it (configuration §9.3).
type Metric struct {
	Group string
	Name  string
	// Level says that the value goes up and down; a counter only goes up.
	Level bool
	Value int64
}

// Status is what a node tells about itself. The functions may be called concurrently.
type Status struct {
	// Version is the program's.
	Version string
	// Fingerprint returns that of the configuration in use, in hex.
	Fingerprint func() string
	// Metrics returns the counters, in a stable order.
	Metrics func() []Metric
	// Sampler looks at the process; all handlers of a process share one.
	Sampler *Sampler
}

// SelfStatus answers every request with a JSON object that describes the process (configuration §9.2).
type SelfStatus struct {
	status Status
	extra  web.ExtraHeaders
	log    *slog.Logger
}

// NewSelfStatus returns the handler. What is wrong with its extra headers is logged.
func NewSelfStatus(cfg SelfStatusConfig, s Status, log *slog.Logger) *SelfStatus {
	return &SelfStatus{status: s, extra: web.NewExtraHeaders(cfg.ExtraHeaders, log), log: log}
}

// statusBody has the keys in the order in which they are shown.
type statusBody struct {
	Process     *Process          `json:"process"`
	Threads     map[string]Thread `json:"threads"`
	Metrics     [][2]any          `json:"metrics"`
	Fingerprint string            `json:"config_fingerprint"`
	Version     string            `json:"version"`
}

// metricName is the first half of a pair in metrics.
type metricName struct {
	Group  string `json:"group"`
	Metric string `json:"metric"`
}

// ServeHTTP answers.
func (s *SelfStatus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := statusBody{Threads: map[string]Thread{}, Metrics: [][2]any{}, Fingerprint: s.status.Fingerprint(), Version: s.status.Version}
	if process, threads, ok := s.status.Sampler.Sample(); ok {
		body.Process, body.Threads = &process, threads
	}
	for _, m := range s.status.Metrics() {
		kind := "counter"
		if m.Level {
			kind = "level"
		}
		body.Metrics = append(body.Metrics, [2]any{metricName{m.Group, m.Name}, [2]any{kind, m.Value}})
	}
	text, err := json.Marshal(body)
	if err != nil { // a CPU share that is no number, at worst
		s.log.Error("Cannot show the status", "err", err)
		web.Error(w, r, http.StatusInternalServerError)
		return
	}
	if !s.extra.HasContentType() {
		w.Header()["Content-Type"] = []string{"application/json"}
	}
	s.extra.AddTo(w.Header())
	_, _ = w.Write(text) // to HEAD, too: the server keeps the length and drops the rest
}

var _ http.Handler = (*SelfStatus)(nil)

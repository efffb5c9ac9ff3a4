package static

import (
	"log/slog"
	"net/http"

	"github.com/swindon-go/swindon/internal/web"
)

// Handler is !Static: it serves the files below a directory. It is immutable and may be used concurrently.
type Handler struct {
	server
	cfg Config
}

// NewHandler returns the handler for one configuration. Pools are those of the same configuration.
func NewHandler(cfg Config, pools *Pools, log *slog.Logger) *Handler {
	return &Handler{
		server: server{
			pool: pools.get(cfg.Pool), jobs: &pools.jobs, types: newTypes(cfg.TextCharset),
			extra: web.NewExtraHeaders(cfg.ExtraHeaders, log), log: log,
		},
		cfg: cfg,
	}
}

// ServeHTTP serves one file.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := web.RecordOf(r)
	path, err := h.path(rec)
	if err != nil {
		web.Error(w, r, http.StatusForbidden)
		return
	}
	rec.FilePath = path
	h.serve(w, r, path, func(f *found, accept []string) int { return h.index(f, path, accept) })
}

// path translates a request into the path of a file (configuration §5.5).
func (h *Handler) path(rec *web.Record) (string, error) {
	target := rec.Target
	if h.cfg.Mode == ModeRoute {
		target = rec.Suffix
	}
	if rec.Form == web.FormAsterisk || rec.Form == web.FormAuthority {
		target = "/"
	}
	rel, err := translate(target)
	if err != nil {
		return "", err
	}
	dir := h.cfg.Path
	if h.cfg.Mode == ModeHostname {
		host, err := hostDir(rec.Host, h.cfg.StripHostSuffix)
		if err != nil {
			return "", err
		}
		dir = join(dir, host)
	}
	return join(dir, rel), nil
}

// index finds what stands for a directory: the first of the configured files that exists.
func (h *Handler) index(f *found, dir string, accept []string) int {
	for _, name := range h.cfg.IndexFiles {
		switch status := h.find(f, join(dir, name), accept); status {
		case http.StatusNotFound:
		case statusDirectory:
			return http.StatusForbidden
		default:
			return status
		}
	}
	if h.cfg.GenerateIndex {
		return http.StatusNotImplemented // listings come with a later issue
	}
	return http.StatusForbidden
}

// SingleFile is !SingleFile: it serves one file, whatever follows the route's prefix. It is immutable and may be used
// concurrently.
type SingleFile struct {
	server
	path string
}

// NewSingleFile returns the handler for one configuration. Pools are those of the same configuration. No charset is
// added to a type that is guessed from the file's name.
func NewSingleFile(cfg SingleFileConfig, pools *Pools, log *slog.Logger) *SingleFile {
	s := &SingleFile{
		server: server{
			pool: pools.get(cfg.Pool), jobs: &pools.jobs, types: newTypes(""), extra: web.NewExtraHeaders(cfg.ExtraHeaders, log), log: log,
		},
		path: cfg.Path,
	}
	if cfg.ContentType != "" {
		s.contentType = []string{cfg.ContentType}
	}
	return s
}

// ServeHTTP serves the file.
func (s *SingleFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := web.RecordOf(r)
	if rec.Form == web.FormAsterisk || rec.Form == web.FormAuthority {
		web.Error(w, r, http.StatusForbidden)
		return
	}
	rec.FilePath = s.path
	s.serve(w, r, s.path, func(*found, []string) int { return http.StatusForbidden })
}

var (
	_ http.Handler = (*Handler)(nil)
	_ http.Handler = (*SingleFile)(nil)
)

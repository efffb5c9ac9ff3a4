package builtin

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/swindon-go/swindon/internal/web"
)

// NotFound is the implicit default handler: the 404 page for any method.
type NotFound struct{}

// ServeHTTP answers.
func (NotFound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	web.Error(w, r, http.StatusNotFound)
}

// NotImplemented stands for a handler whose configuration is understood but which this version cannot run.
type NotImplemented struct{}

// ServeHTTP answers the 501 page.
func (NotImplemented) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	web.Error(w, r, http.StatusNotImplemented)
}

// gif is a transparent image of one pixel.
var gif = []byte{
	0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x00, 0xff, 0x00,
	0x2c, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x00, 0x3b,
}

// EmptyGif answers every request with a transparent image of one pixel (configuration §5.9).
type EmptyGif struct{ extra web.ExtraHeaders }

// NewEmptyGif returns the handler. What is wrong with its extra headers is logged.
func NewEmptyGif(cfg EmptyGifConfig, log *slog.Logger) *EmptyGif {
	return &EmptyGif{extra: web.NewExtraHeaders(cfg.ExtraHeaders, log)}
}

// ServeHTTP answers.
func (g *EmptyGif) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Length"] = []string{"26"}
	if !g.extra.HasContentType() {
		h["Content-Type"] = []string{"image/gif"}
	}
	g.extra.AddTo(h)
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(gif)
	}
}

// BaseRedirect sends every request to the same target on another domain, by plain HTTP (configuration §5.10).
type BaseRedirect struct{ domain string }

// NewBaseRedirect returns the handler.
func NewBaseRedirect(cfg BaseRedirectConfig) *BaseRedirect {
	return &BaseRedirect{domain: cfg.RedirectToDomain}
}

// ServeHTTP answers.
func (b *BaseRedirect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	redirect(w, "http://"+b.domain+web.RecordOf(r).Target)
}

// StripWWWRedirect sends requests for "www.HOST" to HOST, port and target kept. Other hosts get 404.
type StripWWWRedirect struct{}

// ServeHTTP answers.
func (StripWWWRedirect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const www = "www."
	rec := web.RecordOf(r)
	if len(rec.RawHost) <= len(www) || !strings.EqualFold(rec.RawHost[:len(www)], www) {
		web.Error(w, r, http.StatusNotFound)
		return
	}
	redirect(w, "http://"+rec.RawHost[len(www):]+rec.Target)
}

// redirect answers 301 with an empty body and no type, whatever the method.
func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h["Location"] = []string{location}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusMovedPermanently)
}

var (
	_ http.Handler = NotFound{}
	_ http.Handler = NotImplemented{}
	_ http.Handler = (*EmptyGif)(nil)
	_ http.Handler = (*BaseRedirect)(nil)
	_ http.Handler = StripWWWRedirect{}
)

package logging

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// ModuleKey is the attribute that names the module of a record.
const ModuleKey = "module"

// defaultModule stands where a record names none.
const defaultModule = "swindon"

// Options say how diagnostics look.
type Options struct {
	// Levels choose what is written; the zero value writes warnings and errors.
	Levels Levels
	// JSON writes one JSON object a line, for machines.
	JSON bool
	// Color colours the level; for terminals.
	Color bool
}

// New returns a logger that writes to w. Each record is one call of Write; calls are serialised.
func New(w io.Writer, o Options) *slog.Logger {
	if o.JSON {
		// Levels are the filter's business: below it everything passes.
		json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.Level(-128)})
		return slog.New(&filter{next: json, levels: o.Levels})
	}
	return slog.New(&filter{next: &text{out: &output{w: w}, color: o.Color}, levels: o.Levels})
}

// filter drops records below the level of their module.
type filter struct {
	next   slog.Handler
	levels Levels
	module string
}

// Enabled tells whether a record of this level would be written.
func (f *filter) Enabled(_ context.Context, l slog.Level) bool { return l >= f.levels.of(f.module) }

// Handle writes a record.
func (f *filter) Handle(ctx context.Context, r slog.Record) error { return f.next.Handle(ctx, r) }

// WithAttrs returns a handler with more attributes; the module among them chooses the level.
func (f *filter) WithAttrs(attrs []slog.Attr) slog.Handler {
	module := f.module
	for _, a := range attrs {
		if a.Key == ModuleKey {
			module = a.Value.String()
		}
	}
	return &filter{next: f.next.WithAttrs(attrs), levels: f.levels, module: module}
}

// WithGroup returns a handler whose further attributes stand in a group.
func (f *filter) WithGroup(name string) slog.Handler {
	return &filter{next: f.next.WithGroup(name), levels: f.levels, module: f.module}
}

// output serialises writes.
type output struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// text writes the original's line form.
type text struct {
	out    *output
	color  bool
	module string
	prefix string // names of open groups, each with a dot
	attrs  []byte // preformatted, each with a blank before it
}

// Enabled is always true: filter decides.
func (*text) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs returns a handler that writes attrs with each record.
func (t *text) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *t
	c.attrs = append([]byte(nil), t.attrs...)
	for _, a := range attrs {
		if a.Key == ModuleKey && t.prefix == "" {
			c.module = a.Value.String()
			continue
		}
		c.attrs = appendAttr(c.attrs, t.prefix, a)
	}
	return &c
}

// WithGroup returns a handler that writes further attributes as name.key=value.
func (t *text) WithGroup(name string) slog.Handler {
	c := *t
	if name != "" {
		c.prefix = t.prefix + name + "."
	}
	return &c
}

// Handle writes one line.
func (t *text) Handle(_ context.Context, r slog.Record) error {
	module := t.module
	line := make([]byte, 0, 256)
	rest := append([]byte(nil), t.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == ModuleKey && t.prefix == "" {
			module = a.Value.String()
			return true
		}
		rest = appendAttr(rest, t.prefix, a)
		return true
	})
	if module == "" {
		module = defaultModule
	}
	line = appendLevel(line, r.Level, t.color)
	line = append(line, ' ')
	when := r.Time
	if when.IsZero() {
		when = time.Unix(0, 0)
	}
	line = when.UTC().AppendFormat(line, "2006-01-02T15:04:05Z")
	line = append(line, ": "...)
	line = append(line, module...)
	line = append(line, ": "...)
	line = appendText(line, r.Message)
	line = append(line, rest...)
	line = append(line, '\n')
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	_, err := t.out.w.Write(line)
	return err
}

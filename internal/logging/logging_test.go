package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The line form that the original's test helper recognises.
var warning = regexp.MustCompile(`^ WARN \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: swindon::config::read: handler"x": gone\n$`)

func TestLine(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := New(&b, Options{}).With(ModuleKey, "swindon::config::read")
	log.Warn(`handler"x": gone`)
	if !warning.MatchString(b.String()) {
		t.Errorf("%q", b.String())
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		do   func(*slog.Logger)
		want string
	}{
		{func(l *slog.Logger) { l.Error("m", "k", "v", "n", 3) }, "ERROR 1970-01-01T00:00:00Z: swindon: m k=v n=3"},
		{func(l *slog.Logger) { l.Warn("m", "k", "a b", "e", "") }, ` WARN 1970-01-01T00:00:00Z: swindon: m k="a b" e=""`},
		{func(l *slog.Logger) { l.With("a", 1).WithGroup("g").Warn("m", "k", time.Second) }, " WARN 1970-01-01T00:00:00Z: swindon: m a=1 g.k=1s"},
		{func(l *slog.Logger) { l.Warn("m", slog.Group("g", "k", 1)) }, " WARN 1970-01-01T00:00:00Z: swindon: m g.k=1"},
		{func(l *slog.Logger) { l.Warn("m", "err", errors.New("x=\ny")) }, ` WARN 1970-01-01T00:00:00Z: swindon: m err="x=\ny"`},
		{func(l *slog.Logger) { l.Warn("a\nERROR forged\x1b[1m") }, ` WARN 1970-01-01T00:00:00Z: swindon: a\nERROR forged\x1b[1m`},
		{func(l *slog.Logger) { l.Warn("m", ModuleKey, "mod") }, " WARN 1970-01-01T00:00:00Z: mod: m"},
	} {
		var b bytes.Buffer
		c.do(New(&b, Options{}))
		got := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(b.String(), "1970-01-01T00:00:00Z")
		if got != c.want+"\n" {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, module string
		level        slog.Level
		want         bool
	}{
		{"", "swindon::main", slog.LevelWarn, true},
		{"", "swindon::main", slog.LevelInfo, false},
		{"debug,tokio_core=warn", "swindon::proxy", slog.LevelDebug, true},
		{"debug,tokio_core=warn", "tokio_core::reactor", slog.LevelInfo, false},
		{"info,swindon::proxy=error", "swindon::proxy", slog.LevelWarn, false},
		{"info,swindon::proxy=error", "swindon::proxy::queue", slog.LevelWarn, false},
		{"info,swindon::proxy=error", "swindon::proxied", slog.LevelInfo, true},
		{"swindon::proxy", "swindon::proxy", LevelTrace, true},
		{"swindon::proxy", "swindon::main", slog.LevelError, false},
		{"off", "swindon", slog.LevelError, false},
		{"nonsense=5,warn", "swindon", slog.LevelWarn, true},
		{"warn/filter=debug", "swindon", slog.LevelInfo, false},
	} {
		log := New(&bytes.Buffer{}, Options{Levels: ParseLevels(c.text)}).With(ModuleKey, c.module)
		if got := log.Enabled(t.Context(), c.level); got != c.want {
			t.Errorf("%q %s %v: %v", c.text, c.module, c.level, got)
		}
	}
}

func TestColor(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	New(&b, Options{Color: true}).Error("m")
	if !strings.HasPrefix(b.String(), "\x1b[31mERROR\x1b[0m ") {
		t.Errorf("%q", b.String())
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := New(&b, Options{JSON: true, Levels: ParseLevels("info")})
	log.Debug("hidden")
	log.With(ModuleKey, "swindon::main").Info("m", "k", "v")
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if got["level"] != "INFO" || got["module"] != "swindon::main" || got["msg"] != "m" || got["k"] != "v" {
		t.Errorf("%v", got)
	}
}

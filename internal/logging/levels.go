package logging

import (
	"log/slog"
	"strings"
)

// LevelTrace is below debug, for every byte.
const LevelTrace = slog.LevelDebug - 4

// levelOff lets nothing pass.
const levelOff = slog.LevelError + 100

// Levels choose a level per module. The zero value is warn for all.
type Levels struct {
	all     slog.Level
	set     bool
	modules map[string]slog.Level
}

// ParseLevels reads the text of RUST_LOG: items separated by commas, each LEVEL, MODULE=LEVEL or MODULE (everything of it).
// A module stands for all below it ("swindon" for "swindon::proxy"). Items that make no sense are left out, as in the
// original; text after a slash, a filter there, too.
func ParseLevels(s string) Levels {
	var l Levels
	s, _, _ = strings.Cut(s, "/")
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		name, level, ok := strings.Cut(item, "=")
		switch v, isLevel := parseLevel(item); {
		case item == "":
		case !ok && isLevel:
			l.all, l.set = v, true
		case !ok:
			l.module(item, LevelTrace)
		default:
			if v, isLevel := parseLevel(level); isLevel {
				l.module(name, v)
			}
		}
	}
	return l
}

func (l *Levels) module(name string, v slog.Level) {
	if l.modules == nil {
		l.modules = map[string]slog.Level{}
	}
	l.modules[name] = v
}

func parseLevel(s string) (slog.Level, bool) {
	switch strings.ToLower(s) {
	case "error":
		return slog.LevelError, true
	case "warn":
		return slog.LevelWarn, true
	case "info":
		return slog.LevelInfo, true
	case "debug":
		return slog.LevelDebug, true
	case "trace":
		return LevelTrace, true
	case "off":
		return levelOff, true
	}
	return 0, false
}

// of returns the level of a module: the longest entry that is the module or one above it.
func (l Levels) of(module string) slog.Level {
	if module == "" {
		module = defaultModule
	}
	for name := module; ; {
		if v, ok := l.modules[name]; ok {
			return v
		}
		i := strings.LastIndex(name, "::")
		if i < 0 {
			break
		}
		name = name[:i]
	}
	if l.set {
		return l.all
	}
	if len(l.modules) > 0 {
		return levelOff // as in the original: only what is named
	}
	return slog.LevelWarn
}

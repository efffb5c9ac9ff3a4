package logging

import (
	"log/slog"
	"strconv"
	"unicode/utf8"
)

// levels in their columns: right-aligned to five.
var levelNames = map[slog.Level]string{
	slog.LevelError: "ERROR", slog.LevelWarn: " WARN", slog.LevelInfo: " INFO", slog.LevelDebug: "DEBUG", LevelTrace: "TRACE",
}

// levelColors are ANSI colours of env_logger.
var levelColors = map[slog.Level]string{
	slog.LevelError: "\x1b[31m", slog.LevelWarn: "\x1b[33m", slog.LevelInfo: "\x1b[32m", slog.LevelDebug: "\x1b[34m", LevelTrace: "\x1b[36m",
}

func appendLevel(b []byte, l slog.Level, color bool) []byte {
	switch {
	case l >= slog.LevelError:
		l = slog.LevelError
	case l >= slog.LevelWarn:
		l = slog.LevelWarn
	case l >= slog.LevelInfo:
		l = slog.LevelInfo
	case l >= slog.LevelDebug:
		l = slog.LevelDebug
	default:
		l = LevelTrace
	}
	if !color {
		return append(b, levelNames[l]...)
	}
	b = append(b, levelColors[l]...)
	b = append(b, levelNames[l]...)
	return append(b, "\x1b[0m"...)
}

// appendAttr writes " key=value"; groups become key.inner=value.
func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, prefix, inner)
		}
		return b
	}
	if a.Key == "" {
		return b
	}
	b = append(b, ' ')
	b = append(b, prefix...)
	b = append(b, a.Key...)
	b = append(b, '=')
	s := v.String()
	if needsQuotes(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func needsQuotes(s string) bool {
	if s == "" {
		return true
	}
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '=' || r == 0x7f || r == utf8.RuneError {
			return true
		}
	}
	return false
}

// appendText writes a message. Control characters are escaped: what clients sent must not forge lines.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			return appendEscaped(b, s)
		}
	}
	return append(b, s...)
}

func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '\n':
			b = append(b, `\n`...)
		case r < ' ' || r == 0x7f:
			b = append(b, strconv.Quote(string(r))[1:]...)
			b = b[:len(b)-1]
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

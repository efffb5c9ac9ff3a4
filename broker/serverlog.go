package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// serverLog carries the embedded server's lines into our log. Its notices are our debug: they tell of each start at
// length.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- error // takes the first; the server then gives up its start
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }

func (l *serverLog) Errorf(format string, v ...any) { l.line(slog.LevelError, format, v) }

// known are warnings about what we do on purpose: passwords that are in this process's memory only, and a limit that
// follows from the session pools'.
var known = []string{"Plaintext passwords detected", "Maximum payloads over"}

func (l *serverLog) Warnf(format string, v ...any) {
	level := slog.LevelWarn
	for _, k := range known {
		if strings.HasPrefix(format, k) {
			level = slog.LevelDebug
		}
	}
	l.line(level, format, v)
}

func (l *serverLog) line(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "nats-server says", "text", fmt.Sprintf(format, v...))
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}

func (l *serverLog) Debugf(string, ...any) {}

func (l *serverLog) Tracef(string, ...any) {}

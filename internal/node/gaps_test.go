package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestGapsAreReportedOnceAMinute(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	g := newGaps(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for _, step := range []struct {
		reason string
		after  time.Duration
		lines  int
	}{
		{"overflow", 0, 1}, {"overflow", time.Second, 1}, {"reconnect", 0, 2}, {"overflow", time.Minute, 3}, {"reconnect", 0, 4}, {"reconnect", 0, 4},
	} {
		now = now.Add(step.after)
		g.report(step.reason)
		if got := strings.Count(out.String(), "\n"); got != step.lines {
			t.Errorf("%s: %d lines, want %d", step.reason, got, step.lines)
		}
	}
}

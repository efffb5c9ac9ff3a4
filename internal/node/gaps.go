package node

import (
	"log/slog"
	"sync"
	"time"
)

// gapInterval is how often lost messages are reported in the log; the metric counts each time.
const gapInterval = time.Minute

// gaps reports that messages of other nodes were lost, or may have been. Its method may be called concurrently.
type gaps struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex           // guards last
	last map[string]time.Time // by reason, of which there are two
}

func newGaps(log *slog.Logger, now func() time.Time) *gaps {
	return &gaps{log: log, now: now, last: map[string]time.Time{}}
}

// report takes broker.Deps.OnGap's reasons. It does not block.
func (g *gaps) report(reason string) {
	now := g.now()
	g.mu.Lock()
	last, seen := g.last[reason]
	due := !seen || now.Sub(last) >= gapInterval
	if due {
		g.last[reason] = now
	}
	g.mu.Unlock()
	if due {
		g.log.Warn("Messages over NATS may have been lost", "reason", reason)
	}
}

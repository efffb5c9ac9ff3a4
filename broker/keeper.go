package broker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// keep brings the link up, again and again, until the link is stopped.
func (l *link) keep() {
	pause := retryPause
	for {
		again := l.step(&pause)
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-l.kick:
		case <-timer:
		case <-l.ctx.Done():
			return
		}
	}
}

// step does what is to be done now and returns after what time to look again; 0: when there is news.
func (l *link) step(pause *time.Duration) time.Duration {
	nc := l.conn.Load()
	if nc == nil || nc.IsClosed() {
		var err error
		if nc, err = l.rebuild(nc != nil); err != nil {
			l.log.Error("cannot set up the nats connection", "err", err)
			*pause = min(*pause*2, maxRetryPause)
			return *pause
		}
	}
	if l.up.Load() || !nc.IsConnected() {
		return 0
	}
	l.mu.Lock()
	gen, refused, lostAt := l.gen, l.refused, l.lostAt
	l.mu.Unlock()
	if !refused.IsZero() {
		return l.retryRefused(nc, refused)
	}
	// Who has published on the lost connection is about to flush, and must not take the new one's answer for its own.
	if rest := afterLoss - time.Since(lostAt); rest > 0 {
		return rest
	}
	if err := l.ping(nc, flushTimeout); err != nil {
		return retryPause
	}
	if l.raise(nc, gen) {
		*pause = retryPause
	}
	return 0
}

// rebuild makes a new connection with all subscriptions. It may not be connected yet when it returns.
func (l *link) rebuild(again bool) (*nats.Conn, error) {
	if again {
		l.m.rebuilds.WithLabelValues(l.lane.String()).Inc()
		l.log.Warn("the nats connection was closed for good, making a new one")
	}
	nc, err := nats.Connect(l.url, l.options...)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = time.Time{}
	for s := range l.subs {
		if err := s.attach(nc); err != nil {
			nc.Close()
			return nil, err
		}
	}
	l.builds.Add(1)
	l.conn.Store(nc)
	return nc, nil
}

// raise declares the link up, unless the connection was lost since generation gen.
func (l *link) raise(nc *nats.Conn, gen uint64) bool {
	l.inspect(nc)
	l.mu.Lock()
	if l.gen != gen || !l.refused.IsZero() {
		l.mu.Unlock()
		return false
	}
	l.maxPayload.Store(nc.MaxPayload())
	back := l.wasUp
	l.wasUp = true
	l.setUp(true)
	l.mu.Unlock()
	l.log.Info("nats connected", "server", nc.ConnectedServerName(), "version", nc.ConnectedServerVersion())
	l.onUp()
	if back {
		l.gap(gapReconnect)
	}
	return true
}

// setUp changes up and tells who waits. The caller holds mu.
func (l *link) setUp(up bool) {
	if l.up.Swap(up) == up {
		return
	}
	v := 0.0
	if up {
		v = 1
	}
	l.m.up.WithLabelValues(l.lane.String()).Set(v)
	close(l.changed)
	l.changed = make(chan struct{})
}

// down declares the link away; true: it was up.
func (l *link) down() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.up.Load()
	l.gen++
	l.lostAt = time.Now()
	l.setUp(false)
	return was
}

// awaitUp returns when the link is up.
func (l *link) awaitUp(ctx context.Context) error {
	for {
		l.mu.Lock()
		up, changed := l.up.Load(), l.changed
		l.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *link) wakeKeeper() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// retryRefused reconnects now and then, in case the server's permissions have been mended.
func (l *link) retryRefused(nc *nats.Conn, since time.Time) time.Duration {
	if rest := refusedPause - time.Since(since); rest > 0 {
		return rest
	}
	l.mu.Lock()
	l.refused = time.Time{}
	l.mu.Unlock()
	if err := nc.ForceReconnect(); err != nil {
		l.log.Debug("cannot reconnect", "err", err)
	}
	return retryPause
}

// The following are called by the client library, one at a time per connection.

func (l *link) connected(*nats.Conn) { l.wakeKeeper() }

func (l *link) disconnected(nc *nats.Conn, err error) {
	if l.ctx.Err() != nil || l.conn.Load() != nc {
		return
	}
	l.lost(err)
}

func (l *link) closed(nc *nats.Conn) {
	if l.ctx.Err() != nil || l.conn.Load() != nc {
		return
	}
	l.lost(nc.LastError())
	l.wakeKeeper()
}

func (l *link) lost(err error) {
	if l.down() {
		l.m.disconnects.WithLabelValues(l.lane.String()).Inc()
		l.log.Warn("nats connection lost", "err", err)
	}
	l.tap.poll() // the reader may have left something
	l.replies.fail()
	l.gathers.fail()
}

// asyncError takes what the server or the library complains about outside of any call of ours.
func (l *link) asyncError(nc *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer):
		l.m.errors.WithLabelValues("slow_consumer").Inc()
		l.log.Warn("messages dropped: this node is too slow", "subject", subject(sub))
		if sub != nil && l.isPermanent(sub) {
			l.gap(gapOverflow)
		}
	case errors.Is(err, nats.ErrPermissionViolation):
		l.m.errors.WithLabelValues("permission").Inc()
		l.log.Error("nats refused what this node needs: its permissions are too narrow", "err", err)
		if strings.Contains(err.Error(), "Subscription to") && l.conn.Load() == nc {
			l.mu.Lock()
			l.refused = time.Now()
			l.setUp(false)
			l.mu.Unlock()
			l.wakeKeeper()
		}
	default:
		l.m.errors.WithLabelValues("other").Inc()
		l.log.Warn("nats reports an error", "subject", subject(sub), "err", err)
	}
}

func (l *link) isPermanent(sub *nats.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.subs {
		if s.sub == sub {
			return s.permanent
		}
	}
	return false
}

func subject(sub *nats.Subscription) string {
	if sub == nil {
		return ""
	}
	return sub.Subject
}

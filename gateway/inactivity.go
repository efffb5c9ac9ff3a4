package gateway

import (
	"context"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
)

// newNotices connects the notices with the session pool.
func (p *Pool) newNotices() *notices {
	return &notices{
		send: func(ctx context.Context, n *notice) error {
			return p.backend.Inactive(ctx, n.dest, backend.Level(p.level.Load()), n.user, n.id)
		},
		obsolete: p.sessions.isActive,
		lost: func(n *notice, err error) {
			p.deps.Metrics.noticesLost.Add(1)
			p.log.Warn("Notice of inactivity is given up", "user", string(n.user), "destination", n.dest.String(),
				"request_id", n.id, "attempts", n.attempt, "err", err)
		},
		sent: func(n *notice) { p.deps.Metrics.notices.Add(1) },
		now:  p.sessions.now,
		wake: make(chan struct{}, 1),
	}
}

// expired tells every inactivity handler that a user's session has become inactive, once per activation (protocol
// §10.4).
func (p *Pool) expired(user names.UserID) {
	for _, dest := range p.cfg.Load().InactivityHandlers {
		p.notices.add(&notice{user: user, dest: dest, id: p.deps.IDs.Next()})
	}
}

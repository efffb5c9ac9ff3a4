package replica

import (
	"context"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// purgePrivate is Set.PurgePrivate in a mesh: the keys end now, also those that would
// have ended later. A copy is as old as its last change that this node saw, or the loading of it.
func (m *mesh) purgePrivate(ctx context.Context, u names.UserID, before time.Time) (kept time.Time, err error) {
	for _, space := range m.set.all() {
		n := m.set.namespaceOf(space.name, false)
		if n == nil {
			continue
		}
		c, ok := n.ending(names.PrivateOf(n.name, u), 0, m.set.nowMs())
		if ok {
			if at := time.UnixMilli(n.private[u].written); !at.Before(before) {
				kept, ok = latest(kept, at), false
			}
		}
		if err := m.endAs(ctx, n, c, ok); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// privateUsers lists the users with keys in a namespace that have not ended. The caller holds no lock.
func (n *namespace) privateUsers() (us []names.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.set.nowMs()
	for u, p := range n.private {
		for _, st := range p.keys.All() {
			if !st.Ended(now) {
				us = append(us, u)
				break
			}
		}
	}
	return us
}

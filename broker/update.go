package broker

import (
	"fmt"

	"github.com/swindon-go/swindon/internal/names"
)

// Update tells the broker of the session pools and of the NATS destinations' subjects after a reload. The embedded
// server then lets backends serve the new subjects, and new session pools get their buckets. The largest message stays
// what it was at the start, since clients learn it when they connect: a pool that wants more is warned about.
func (b *Broker) Update(pools []PoolLimit, subjects []string) error {
	b.reload.Lock()
	defer b.reload.Unlock()
	b.deps.Pools, b.deps.Subjects = pools, subjects
	if b.bus.up.Load() {
		b.warnOfSmall(pools, b.bus.maxPayload.Load())
	}
	for _, p := range pools {
		b.Store(p.Name)
	}
	if b.server == nil {
		return nil
	}
	if err := b.server.update(subjects, names.Prefix(b.cfg.Prefix)); err != nil {
		return fmt.Errorf("embedded nats: %w", err)
	}
	return nil
}

// update changes the permissions of backends in the running server. Whoever may go on with all it does is not cut off.
func (e *embedded) update(subjects []string, prefix names.Prefix) error {
	opts := e.opts.Clone()
	for _, u := range opts.Users {
		if u.Username == backendUser {
			u.Permissions = backendPermissions(prefix, subjects)
		}
	}
	if err := e.srv.ReloadOptions(opts); err != nil {
		return err
	}
	e.opts = opts
	return nil
}

package node

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/edge"
)

// Reload takes over a new configuration, all or nothing: whatever can fail is done first, then the parts are swapped.
// Session pools, destinations, tunnels and listeners that stay live on by name. What needs a restart is named in a
// warning and left as it is.
func (n *Node) Reload(ctx context.Context, loaded *config.Loaded) error {
	next := loaded.Config
	if config.Equal(n.cfg, next) {
		n.sources = loaded.Sources
		return nil
	}
	// 1. What can fail.
	hadNATS := n.broker.Load() != nil
	if err := n.startBroker(ctx, next); err != nil {
		return err
	}
	added, err := n.startPools(ctx, next)
	if err != nil {
		return err
	}
	pools := maps.Clone(added)
	for name, p := range n.pools {
		if _, stays := next.SessionPools[name]; stays {
			pools[name] = p
		}
	}
	table, inForce, err := n.table(next, pools)
	if err != nil {
		for _, p := range added {
			p.pool.Stop()
		}
		return err
	}
	// 2. What cannot.
	n.updateBroker(next)
	n.dests.apply(next)
	for name, p := range n.pools {
		if c, stays := next.SessionPools[name]; stays {
			p.pool.Apply(c)
			p.api.group.Apply(ctx, apiListen(c))
		}
	}
	inForce()
	n.edge.Apply(table)
	n.main.Apply(ctx, edge.ListenConfig(next.Edge))
	n.admin.group.Apply(ctx, adminListen(next))
	for _, p := range added {
		p.api.serve()
		p.api.group.Apply(ctx, apiListen(*p.pool.Config()))
	}
	// 3. What is gone.
	for name, p := range n.pools {
		if pools[name] == nil {
			n.retire(name, p)
		}
	}
	restart := config.RestartOnly(n.cfg, next)
	if !hadNATS && n.broker.Load() != nil {
		restart = slices.DeleteFunc(restart, func(k string) bool { return k == "nats" || strings.HasPrefix(k, "nats.") })
	}
	n.pools, n.cfg, n.sources = pools, next, loaded.Sources
	n.publishPools()
	n.fingerprint.Store(&loaded.Fingerprint)
	n.log.Warn("Updated config: " + loaded.Fingerprint) //nolint:sloglint // the original's form (configuration §1.2)
	if len(restart) > 0 {
		n.log.Warn("Some settings take effect after a restart", "keys", strings.Join(restart, ", "))
	}
	return nil
}

// reload reads the configuration and takes it over; mistakes are logged and change nothing.
func (n *Node) reload(ctx context.Context) {
	loaded, err := n.o.Reload()
	if err == nil {
		err = n.Reload(ctx, loaded)
	}
	if err == nil {
		n.complaint = ""
		return
	}
	complaint := "Reading new config: " + strings.TrimSuffix(err.Error(), "\n")
	// A file that cannot be read is tried again every second, which is no reason to repeat that.
	if _, unreadable := errors.AsType[*fs.PathError](err); !unreadable || complaint != n.complaint {
		n.log.Error(complaint) //nolint:sloglint // the original's form
	}
	n.complaint = complaint
	// Told once: the same files are not read again before one of them changes.
	if broken, ok := errors.AsType[*config.Error](err); ok {
		n.sources = broken.Sources
	} else if loaded != nil {
		n.sources = loaded.Sources
	}
}

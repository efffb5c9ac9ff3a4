package node

import (
	"context"
	"runtime"
	"time"
)

// pollInterval is how often the configuration's files are looked at (decision D40).
const pollInterval = time.Second

// Run starts a node, follows its configuration, and stops it within the configured time when ctx ends. The error says
// why it could not start; a PrivilegeError is among them.
func Run(ctx context.Context, o Options) error {
	floor := reserve()
	defer runtime.KeepAlive(floor)
	quiet, busy := context.WithCancel(ctx)
	defer busy()
	go giveBack(quiet)
	n, err := New(o)
	if err != nil {
		return err
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	n.follow(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.ShutdownTimeout)
	defer cancel()
	n.Stop(stop)
	return nil
}

// follow reloads the configuration when its files change or when it is told to, until ctx ends.
func (n *Node) follow(ctx context.Context) {
	if n.o.Reload == nil {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.o.Hangup:
			n.complaint = "" // whoever asks is answered
			n.reload(ctx)
		case <-tick.C:
			if n.sources.Changed() {
				n.reload(ctx)
			}
		}
	}
}

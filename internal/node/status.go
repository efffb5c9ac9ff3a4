package node

import (
	"maps"
	"slices"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/proxy"
)

// status is what !SelfStatus tells; it is fed from the counters that Prometheus sees (decision D47).
func (n *Node) status() builtin.Status {
	return builtin.Status{
		Version:     ident.Version,
		Fingerprint: func() string { return *n.fingerprint.Load() },
		Metrics:     n.figures,
		Sampler:     n.sampler,
	}
}

// figures lists all counters and levels under the original's names (configuration §9.3).
func (n *Node) figures() []builtin.Metric {
	all := []builtin.Metric{{Group: "frontend.incoming", Name: "requests", Value: int64(n.edge.Requests())}}
	for _, s := range n.gatewayMetrics.Stats() {
		all = append(all, builtin.Metric{Group: s.Group, Name: s.Name, Level: !s.Counter, Value: s.Value})
	}
	all = append(all, n.latticeFigures()...)
	const out = "http.outgoing"
	t := n.proxyMetrics.Totals()
	all = append(all,
		builtin.Metric{Group: out, Name: "requests", Value: int64(t.Requests)},
		builtin.Metric{Group: out, Name: "backpressure_failures", Value: int64(t.BackpressureFailures)})
	all = append(all, upstreamFigures(out, t.Stats)...)
	all = append(all,
		builtin.Metric{Group: out, Name: "pools", Level: true, Value: t.Pools},
		builtin.Metric{Group: out, Name: "pools_started", Value: int64(t.PoolsStarted)},
		builtin.Metric{Group: out, Name: "pools_stopped", Value: int64(t.PoolsStopped)})
	current := n.dests.current.Load().http
	for _, name := range slices.Sorted(maps.Keys(current)) {
		all = append(all, upstreamFigures("http.pools."+name, current[name].Stats())...)
	}
	return all
}

// latticeFigures count what the lattices of all session pools hold on this node, and the nodes that it hears.
func (n *Node) latticeFigures() []builtin.Metric {
	const group = "websockets.swindon_chat.lattice"
	var sum replica.Census
	neighbours := 0
	for _, p := range n.runningPools() {
		c := p.Census()
		sum.Namespaces += c.Namespaces
		sum.SetItems += c.SetItems
		sum.Shared, sum.Private = sum.Shared.Plus(c.Shared), sum.Private.Plus(c.Private)
		neighbours = max(neighbours, p.Neighbours())
	}
	level := func(group, name string, v int64) builtin.Metric {
		return builtin.Metric{Group: group, Name: name, Level: true, Value: v}
	}
	all := []builtin.Metric{level(group, "namespaces", sum.Namespaces), level(group, "set_items", sum.SetItems)}
	for _, area := range []struct {
		name string
		replica.Area
	}{{group + ".shared", sum.Shared}, {group + ".private", sum.Private}} {
		all = append(all, level(area.name, "keys", area.Keys), level(area.name, "counters", area.Counters),
			level(area.name, "sets", area.Sets), level(area.name, "registers", area.Registers))
	}
	return append(all, level("replication", "connections", int64(neighbours)))
}

// upstreamFigures are those that a destination and the sum of all have in common.
func upstreamFigures(group string, s proxy.Stats) []builtin.Metric {
	level := func(name string, v int64) builtin.Metric {
		return builtin.Metric{Group: group, Name: name, Level: true, Value: v}
	}
	counter := func(name string, v uint64) builtin.Metric {
		return builtin.Metric{Group: group, Name: name, Value: int64(v)}
	}
	return []builtin.Metric{
		level("connecting", s.Connecting),
		level("connected", s.Connected),
		level("blacklisted", s.Blacklisted),
		level("request_queue", s.RequestQueue),
		counter("connection_attempted", s.ConnectionAttempted),
		counter("connection_aborted", s.ConnectionAborted),
		counter("connection_errored", s.ConnectionErrored),
		counter("connection_established", s.ConnectionEstablished),
		counter("connection_dropped", s.ConnectionDropped),
		counter("blacklist_added", s.BlacklistAdded),
		counter("blacklist_removed", s.BlacklistRemoved),
		counter("requests_queued", s.RequestsQueued),
		counter("requests_forwarded", s.RequestsForwarded),
	}
}

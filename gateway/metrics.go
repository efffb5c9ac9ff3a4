package gateway

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/gateway/presence"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/ws"
)

// Metrics counts what the session pools of a process do. Prometheus and !SelfStatus read the same numbers (decision
// D47).
type Metrics struct {
	connects, connections, framesReceived, pools atomic.Int64
	pubIn, pubOut, topics                        atomic.Int64
	latticeOut, latticeJoined                    atomic.Int64
	calls, callErrors, refused                   atomic.Int64
	badMessages, toNodes, fromNodes              atomic.Int64

	// WS counts what the websocket layer does, Replica what the documents of lattices, Presence what the records of users.
	WS       *ws.Counters
	Replica  *replica.Metrics
	Presence *presence.Metrics
}

// Stat is one number in the form of !SelfStatus (configuration §9.3).
type Stat struct {
	Group, Name string
	// Counter tells a counter from a level.
	Counter bool
	Value   int64
}

type metric struct {
	stat  Stat
	prom  string
	help  string
	value func() int64
}

const (
	groupChat   = "websockets.swindon_chat"
	groupPubsub = "websockets.swindon_chat.pubsub"
	// groupReplication is what nodes tell each other.
	groupReplication = "replication"
)

// list is the one list of all numbers. Those without a group have no name in !SelfStatus.
func (m *Metrics) list() []metric {
	counter := func(group, name, prom, help string, v func() int64) metric {
		return metric{Stat{group, name, true, 0}, prom, help, v}
	}
	level := func(group, name, prom, help string, v func() int64) metric {
		return metric{Stat{group, name, false, 0}, prom, help, v}
	}
	return []metric{
		counter(groupChat, "connects", "connects_total", "Websockets accepted.", m.connects.Load),
		level(groupChat, "connections", "connections", "Websockets open, those being authorized included.", m.connections.Load),
		counter(groupChat, "frames_received", "frames_received_total", "Requests received from clients.", m.framesReceived.Load),
		counter(groupChat, "frames_sent", "frames_sent_total", "Frames queued for clients.", m.framesSent),
		level(groupChat, "session_pools", "session_pools", "Session pools running.", m.pools.Load),
		level(groupChat, "active_sessions", "active_sessions", "Sessions whose idle timeout has not passed.", m.activeSessions),
		level(groupChat, "inactive_sessions", "inactive_sessions", "Sessions whose idle timeout has passed.", m.inactiveSessions),
		counter(groupPubsub, "input_messages", "publishes_total", "Messages published to topics on this node.", m.pubIn.Load),
		counter(groupPubsub, "output_messages", "deliveries_total", "Messages queued for subscribers.", m.pubOut.Load),
		level(groupPubsub, "topics", "topics", "Topics with subscribers on this node.", m.topics.Load),
		counter(groupReplication, "frames_sent", "node_messages_sent_total", "Messages sent to other nodes or to backends that asked.", m.toNodes.Load),
		counter(groupReplication, "frames_received", "node_messages_received_total", "Messages received from other nodes and from backends, calls not included.", m.fromNodes.Load),
		counter("", "", "lattice_frames_total", "Frames of lattices queued for clients.", m.latticeOut.Load),
		counter("", "", "lattice_joins_total", "Changes of lattices joined into a frame that waited for a slow client.", m.latticeJoined.Load),
		counter("", "", "calls_total", "Calls of clients sent to backends.", m.calls.Load),
		counter("", "", "call_errors_total", "Calls answered with an error frame.", m.callErrors.Load),
		counter("", "", "authorizations_refused_total", "Authorizations that failed.", m.refused.Load),
		counter("", "", "bad_messages_total", "Messages from NATS that were dropped because they are malformed.", m.badMessages.Load),
	}
}

// NewMetrics returns counters that are registered with reg under swindon_gateway_….
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{WS: &ws.Counters{}}
	var err error
	if m.Replica, err = replica.NewMetrics(reg); err != nil {
		return nil, err
	}
	if m.Presence, err = presence.NewMetrics(reg); err != nil {
		return nil, err
	}
	for _, l := range m.list() {
		var c prometheus.Collector
		value := func() float64 { return float64(l.value()) }
		if l.stat.Counter || l.stat.Group == "" {
			c = prometheus.NewCounterFunc(prometheus.CounterOpts{
				Namespace: "swindon", Subsystem: "gateway", Name: l.prom, Help: l.help,
			}, value)
		} else {
			c = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Namespace: "swindon", Subsystem: "gateway", Name: l.prom, Help: l.help,
			}, value)
		}
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Stats returns the numbers that !SelfStatus shows.
func (m *Metrics) Stats() []Stat {
	var out []Stat
	for _, l := range m.list() {
		if l.stat.Group != "" {
			l.stat.Value = l.value()
			out = append(out, l.stat)
		}
	}
	return out
}

func (m *Metrics) activeSessions() int64 {
	active, _ := m.Presence.Sessions()
	return active
}

func (m *Metrics) inactiveSessions() int64 {
	_, inactive := m.Presence.Sessions()
	return inactive
}

func (m *Metrics) framesSent() int64 { return int64(m.WS.FramesOut.Load()) }

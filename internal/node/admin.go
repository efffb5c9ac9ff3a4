package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/swindon-go/swindon/internal/admin"
	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/listen"
)

// maxAdminConnections bounds the connections of operators.
const maxAdminConnections = 100

// startAdmin makes the operator's server.
func (n *Node) startAdmin() {
	n.admin = n.newServer("admin", adminListen(n.cfg), admin.NewHandler(admin.Deps{
		Checks: []admin.Check{
			{Name: "node", Ready: n.isReady},
			{Name: "nats", Ready: n.natsReady},
			{Name: "lattices", Ready: n.latticesReady},
		},
		Metrics: n.registry,
		Status:  n.inspect,
	}))
}

func adminListen(cfg *config.Config) listen.Config {
	return listen.Config{
		Addresses: cfg.Admin.Listen, MaxConnections: maxAdminConnections, ErrorPause: 100 * time.Millisecond, Timeouts: innerTimeouts,
	}
}

var (
	errNotReady = errors.New("starting or stopping")
	errNoNATS   = errors.New("not connected: publish and calls over NATS are answered 503")
	errNoStore  = errors.New("its documents cannot be reached: lattices and presence are answered 503")
)

func (n *Node) isReady() error {
	if !n.ready.Load() {
		return errNotReady
	}
	return nil
}

// natsReady is nil for a node that needs no NATS.
func (n *Node) natsReady() error {
	if b := n.broker.Load(); b != nil && !b.Up() {
		return errNoNATS
	}
	return nil
}

// latticesReady is nil when every session pool can reach the documents of its lattices.
func (n *Node) latticesReady() error {
	for _, p := range n.runningPools() {
		if !p.Ready() {
			return fmt.Errorf("session pool %s: %w", p.Name(), errNoStore)
		}
	}
	return nil
}

// overview is what /status shows.
type overview struct {
	Node        string  `json:"node"`
	Version     string  `json:"version"`
	Fingerprint string  `json:"config_fingerprint"`
	Ready       bool    `json:"ready"`
	NATS        string  `json:"nats"`
	Connections float64 `json:"websockets"`
}

func (n *Node) inspect() any {
	o := overview{
		Node: string(n.id), Version: ident.Version, Fingerprint: *n.fingerprint.Load(), Ready: n.ready.Load(), NATS: "none",
	}
	if b := n.broker.Load(); b != nil {
		o.NATS = "down"
		if b.Up() {
			o.NATS = "up"
		}
	}
	for _, s := range n.gatewayMetrics.Stats() {
		if s.Name == "connections" {
			o.Connections = float64(s.Value)
		}
	}
	return o
}

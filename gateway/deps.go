package gateway

import (
	"log/slog"

	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
)

// Deps is what a session pool needs from the node. Every field but Store and Met is required.
type Deps struct {
	// Node is this process's id.
	Node names.NodeID
	// NextConn gives out the numbers of connections, shared by all session pools of the process, from 0.
	NextConn func() uint64
	Bus      Bus
	// Store keeps the session pool's documents; nil: there is none, the nodes of a mesh keep them themselves (decision
	// D24).
	Store replica.Store
	// Met tells, in a mesh, that the nodes that were up at the start have been met (Pool.Meet); nil: they have.
	Met func() bool
	// Space has the session pool's NATS subjects.
	Space names.Space
	// Destinations finds destinations in the current configuration.
	Destinations backend.Resolver
	// IDs makes the request ids of notices.
	IDs *ident.Generator
	Log *slog.Logger
	// Metrics may be shared by all session pools.
	Metrics *Metrics
}

// Methods says which destination serves a method; *routing.Patterns is one.
type Methods interface {
	Lookup(method string) names.Destination
}

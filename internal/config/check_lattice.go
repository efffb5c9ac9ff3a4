package config

import (
	"fmt"
	"slices"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/routing"
)

// latticeChecks goes through the lattice handlers; those of one session pool must agree.
type latticeChecks struct {
	*loader
	config *Config
	levels map[names.Pool]latticeLevel
}

// latticeLevel is the first handler of a session pool and its level.
type latticeLevel struct {
	handler string
	level   gateway.Compatibility
}

// check checks one handler, in the order of protocol §15.5, which tests of the original depend on.
func (c *latticeChecks) check(name string, h LatticeHandler) *Error {
	entry, owner := "handlers."+name, fmt.Sprintf("handler%q", name)
	pool, ok := c.config.SessionPools[h.SessionPool]
	if !ok {
		return c.reject(entry, "%s: No session pool sessionpool%q defined", owner, h.SessionPool)
	}
	first, ok := c.levels[h.SessionPool]
	if !ok {
		first = latticeLevel{name, h.Compatibility}
		c.levels[h.SessionPool] = first
	}
	if first.level != h.Compatibility {
		return c.reject(entry, "%s: Inconsistent compatibility of sessionpool%q: %s here, %s in handler%q",
			owner, h.SessionPool, h.Compatibility, first.level, first.handler)
	}
	destinations := map[string]names.Destination{}
	for _, m := range h.MessageHandlers {
		destinations[m.Pattern] = m.Destination
	}
	patterns, err := routing.NewPatterns(destinations)
	if err != nil {
		return c.reject(entry, "%s: %s", owner, err)
	}
	if d := patterns.Lookup(inactiveCall(h.Compatibility)); len(pool.InactivityHandlers) > 0 &&
		!slices.Contains(pool.InactivityHandlers, d) {
		return c.reject(entry, "%s: inactivity-handlers of sessionpool%q lack upstream%q, to which %s is sent",
			owner, h.SessionPool, d, inactiveCall(h.Compatibility))
	}
	if h.HTTPRoute != "" {
		if _, ok := c.config.Handlers[h.HTTPRoute]; !ok {
			return c.reject(entry, "%s: unknown http route handler%q", owner, h.HTTPRoute)
		}
	}
	return c.destinations(entry, owner, h.MessageHandlers, destinations["*"])
}

// destinations checks the destination of "*" first, which serves the calls that the gateway itself makes.
func (c *latticeChecks) destinations(
	entry, owner string, handlers []gateway.MessageHandler, fallback names.Destination,
) *Error {
	if err := c.checkDestination(c.config, entry, owner, fallback); err != nil {
		return err
	}
	if d, ok := c.config.HTTPDestinations[fallback.Name]; ok && d.OverrideHostHeader == "" {
		return c.reject(entry, "http destination upstream%q is used in message-handler of %s, "+
			"so must contain override-host-header setting.", fallback.Name, owner)
	}
	for _, m := range handlers {
		if err := c.checkDestination(c.config, entry, owner, m.Destination); err != nil {
			return err
		}
	}
	return nil
}

// inactiveCall is the method by which a backend is told that a user's session has become inactive.
func inactiveCall(level gateway.Compatibility) string {
	if level == gateway.Latest {
		return "swindon." + names.SessionInactive
	}
	return "tangle." + names.SessionInactive
}

package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/static"
)

// checkAll checks what handlers and session pools refer to, in the order of configuration §2.11. The first mistake ends
// it.
func (l *loader) checkAll(c *Config) *Error {
	for _, name := range slices.Sorted(maps.Keys(c.NATSDestinations)) {
		if _, both := c.HTTPDestinations[name]; both {
			return l.reject("nats_destinations."+name,
				"upstream%q is in nats-destinations and in http-destinations; they share one space of names", name)
		}
	}
	lattices := latticeChecks{loader: l, config: c, levels: map[names.Pool]latticeLevel{}}
	for _, name := range slices.Sorted(maps.Keys(c.Handlers)) {
		var err *Error
		switch h := c.Handlers[name].(type) {
		case LatticeHandler:
			err = lattices.check(name, h)
		case ProxyHandler:
			err = l.checkProxy(c, name, h)
		case StaticHandler:
			if h.StripHostSuffix != "" && h.Mode != static.ModeHostname {
				err = l.reject("handlers."+name, "handler%q: strip-host-suffix works only with mode: with_hostname", name)
			}
		}
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.SessionPools)) {
		owner := fmt.Sprintf("sessionpool%q", name)
		for _, d := range c.SessionPools[name].InactivityHandlers {
			if err := l.checkDestination(c, "session_pools."+string(name), owner, d); err != nil {
				return err
			}
		}
	}
	return l.checkNATS(c)
}

// reject is a mistake in the entry of a name table.
func (l *loader) reject(entry, format string, args ...any) *Error {
	return checkError(l.decoder.positions["."+entry], "validation error: "+format, args...)
}

// checkDestination checks that a destination exists, over HTTP or NATS; owner is who refers to it.
func (l *loader) checkDestination(c *Config, entry, owner string, d names.Destination) *Error {
	if _, ok := c.HTTPDestinations[d.Name]; ok {
		return nil
	}
	if _, ok := c.NATSDestinations[d.Name]; !ok {
		return l.reject(entry, "%s: unknown http destination upstream%q", owner, d.Name)
	}
	if d.Path != "/" {
		return l.reject(entry, "%s: upstream%q is a NATS destination and takes no path, got %q", owner, d.Name, d.Path)
	}
	return nil
}

func (l *loader) checkProxy(c *Config, name string, h ProxyHandler) *Error {
	owner := fmt.Sprintf("handler%q", name)
	if _, ok := c.NATSDestinations[h.Destination.Name]; ok {
		return l.reject("handlers."+name, "%s: upstream%q is a NATS destination, !Proxy needs one of http-destinations",
			owner, h.Destination.Name)
	}
	if h.RequestIDHeader != "" {
		l.warnings = append(l.warnings, Warning{
			Module: "swindon::config::read",
			Text: owner + ": request_id_header is deprecated in !Proxy setting, " +
				"it must be specified in http destination",
		})
	}
	return l.checkDestination(c, "handlers."+name, owner, h.Destination)
}

// checkNATS checks what concerns the node as a whole.
func (l *loader) checkNATS(c *Config) *Error {
	if c.Replication.Enabled() && len(c.NATS.URL) > 0 {
		return l.reject("replication", "replication makes a mesh of embedded NATS servers "+
			"and cannot stand beside nats.url")
	}
	return nil
}

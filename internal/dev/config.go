package dev

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// poolName is the session pool of all gateway routes.
const poolName = "main"

// natsName is the destination of calls that go over NATS.
const natsName = "nats"

// Config returns the configuration that serves the options, as text for `swindon --config`. Errors say which argument
// is wrong and what was expected.
func Config(o Options) (string, error) {
	if o.Port < 1 || o.Port > 65535 || o.apiPort() < 1 || o.apiPort() > 65535 {
		return "", errors.New("ports are numbers from 1 to 65535")
	}
	if len(o.Lattices) > 0 && o.apiPort() == o.Port {
		return "", fmt.Errorf("--api-port %d is the port of the page itself", o.Port)
	}
	if o.NATS != "" && len(o.Lattices) == 0 {
		return "", errors.New("--nats needs a gateway route: add --lattice /ws=http://localhost:8111")
	}
	if len(o.NATSCalls) > 0 && o.NATS == "" {
		return "", errors.New("--nats-calls needs a listener for the backends: add --nats 127.0.0.1:4222")
	}
	if slices.Contains(o.NATSCalls, "*") {
		return "", errors.New("--nats-calls: the pattern \"*\" belongs to the address that --lattice names")
	}
	g := generator{o: o, used: map[string]string{}}
	for i, arg := range o.Routes {
		r, err := parseRoute(arg)
		if err == nil {
			err = g.addRoute(i, r)
		}
		if err != nil {
			return "", err
		}
	}
	for i, arg := range o.Lattices {
		r, err := parseLattice(arg)
		if err == nil {
			err = g.addLattice(i, r)
		}
		if err != nil {
			return "", err
		}
	}
	return g.text(), nil
}

// generator gathers the sections in the order of the arguments.
type generator struct {
	o                               Options
	used                            map[string]string // routing key → the argument that has it
	routing, handlers, destinations strings.Builder
}

func (g *generator) route(r route, handler string) error {
	for _, key := range r.keys {
		if first, ok := g.used[key]; ok {
			return fmt.Errorf("%q and %q are both for %s", first, r.arg, key)
		}
		g.used[key] = r.arg
		fmt.Fprintf(&g.routing, "  %s: %s\n", scalar(key), handler)
	}
	return nil
}

func (g *generator) addRoute(i int, r route) error {
	name := "h" + strconv.Itoa(i)
	if r.dir != "" {
		fmt.Fprintf(&g.handlers, "  %s: !Static\n    mode: relative_to_route\n    path: %s\n    text-charset: utf-8\n"+
			"    index-files: [index.html, index.htm]\n", name, quote(r.dir))
	} else {
		fmt.Fprintf(&g.handlers, "  %s: !Proxy\n    mode: forward\n    ip-header: X-Forwarded-For\n    destination: %s\n",
			name, scalar("d"+strconv.Itoa(i)+r.path))
		fmt.Fprintf(&g.destinations, "  d%d:\n    load-balancing: queue\n    request-id-header: X-Request-Id\n    addresses: [%s]\n",
			i, quote(r.host))
	}
	if g.o.CrossDomain {
		g.handlers.WriteString("    extra-headers:\n      Access-Control-Allow-Origin: \"*\"\n")
	}
	return g.route(r, name)
}

func (g *generator) addLattice(i int, r route) error {
	name, dest := "w"+strconv.Itoa(i), "b"+strconv.Itoa(i)
	fmt.Fprintf(&g.handlers, "  %s: !SwindonLattice\n    session-pool: %s\n    message-handlers:\n      \"*\": %s\n",
		name, poolName, scalar(dest+r.path))
	for _, pattern := range g.o.NATSCalls {
		fmt.Fprintf(&g.handlers, "      %s: %s\n", quote(pattern), natsName)
	}
	fmt.Fprintf(&g.destinations, "  %s:\n    addresses: [%s]\n    override-host-header: %s\n    request-id-header: X-Request-Id\n",
		dest, quote(r.host), quote(r.host))
	return g.route(r, name)
}

func (g *generator) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: [127.0.0.1:%d]\ndebug-routing: true\ndebug-logging: true\n\nrouting:\n", g.o.Port)
	for _, host := range []string{"localhost", "127.0.0.1", domain} {
		fmt.Fprintf(&b, "  %s/~~swindon-status: status\n", host)
	}
	b.WriteString(g.routing.String())
	b.WriteString("\nhandlers:\n" + g.handlers.String() + "  status: !SelfStatus\n")
	if g.destinations.Len() > 0 {
		b.WriteString("\nhttp-destinations:\n" + g.destinations.String())
	}
	if len(g.o.Lattices) > 0 {
		fmt.Fprintf(&b, "\nsession-pools:\n  %s:\n    listen: [%s]\n", poolName, g.o.API())
	}
	if g.o.NATS != "" {
		fmt.Fprintf(&b, "\nnats-destinations:\n  %s:\n    subject: rpc\n\nnats:\n  listen: [%s]\n", natsName, quote(g.o.NATS))
	}
	return b.String()
}

// scalar writes a text that needs no quotes in most cases.
func scalar(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./~") == "" &&
		s[0] != '-' && s[0] != '~' {
		return s
	}
	return quote(s)
}

// quote writes a text in double quotes with YAML's escapes (YAML 1.2 §5.7).
func quote(s string) string {
	b := []byte{'"'}
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\x%02X`, c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

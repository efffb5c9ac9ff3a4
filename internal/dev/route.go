package dev

import (
	"fmt"
	"net/url"
	"strings"
)

// domain is the name whose subdomains all lead to 127.0.0.1 (devd's own).
const domain = "devd.io"

// route is one parsed argument.
type route struct {
	arg  string
	keys []string // of the routing section
	dir  string   // a directory, or
	host string   // host[:port] of an upstream with
	path string   // a prefix for requests, without a slash at its end
}

// parseRoute splits an argument at its first "=" (configuration §1.3).
func parseRoute(arg string) (route, error) {
	pattern, dest, ok := strings.Cut(arg, "=")
	if !ok {
		pattern, dest = "", arg
	}
	r := route{arg: arg}
	if dest == "" {
		return r, fmt.Errorf("route %q: a directory or http:// address is expected after \"=\"", arg)
	}
	keys, err := routeKeys(pattern)
	if err != nil {
		return r, fmt.Errorf("route %q: %w", arg, err)
	}
	r.keys = keys
	if !strings.HasPrefix(dest, "http://") && !strings.HasPrefix(dest, "https://") {
		r.dir = dest
		return r, nil
	}
	if r.host, r.path, err = upstream(dest); err != nil {
		return r, fmt.Errorf("route %q: %w", arg, err)
	}
	return r, nil
}

// parseLattice reads PATTERN=http://host[:port].
func parseLattice(arg string) (route, error) {
	pattern, dest, ok := strings.Cut(arg, "=")
	if !ok || !strings.HasPrefix(dest, "http") {
		return route{}, fmt.Errorf("--lattice %q: expected PATTERN=http://host[:port], for example /ws=http://localhost:8111", arg)
	}
	r, err := parseRoute(pattern + "=" + dest)
	if err != nil {
		return r, fmt.Errorf("--lattice: %w", err)
	}
	return r, nil
}

// routeKeys are the routing keys of a pattern [SUB][/PATH]. Slashes at the end of a path make no difference.
func routeKeys(pattern string) ([]string, error) {
	sub, path, _ := strings.Cut(pattern, "/")
	path = strings.TrimRight(path, "/")
	if strings.ContainsAny(pattern, " \t\r\n?#") {
		return nil, fmt.Errorf("the pattern %q holds a character that no path has", pattern)
	}
	if path != "" {
		path = "/" + path
	}
	if sub != "" {
		if strings.Trim(sub, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			return nil, fmt.Errorf("%q is no subdomain", sub)
		}
		return []string{sub + "." + domain + path}, nil
	}
	return []string{"localhost" + path, "127.0.0.1" + path, domain + path}, nil
}

// upstream splits the address of a backend.
func upstream(dest string) (host, path string, err error) {
	u, err := url.Parse(dest)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("bad address: %w", err)
	case u.Scheme == "https":
		return "", "", fmt.Errorf("%s: backends are reached by http:// only", dest)
	case u.Hostname() == "":
		return "", "", fmt.Errorf("%s: no host", dest)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", "", fmt.Errorf("%s: expected http://host[:port][/path]", dest)
	}
	return u.Host, strings.TrimRight(u.EscapedPath(), "/"), nil
}

package config

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// mixins adds the sections of the mixin files, in the order of their prefixes (configuration §2.10).
func (l *loader) mixins(c *Config) *Error {
	for _, prefix := range slices.Sorted(maps.Keys(c.Mixins)) {
		name := c.Mixins[prefix]
		if !relative(name) {
			return checkError(l.decoder.positions[".mixins."+prefix],
				"bad mixin path: %q, only relative paths are allowed", l.path)
		}
		path := filepath.Join(filepath.Dir(l.path), filepath.FromSlash(name))
		text, err := l.files.read(path, name)
		if err != nil {
			return ioError(err)
		}
		var m Sections
		if _, err := l.document(text, path, reflect.ValueOf(&m).Elem(), nil); err != nil {
			return err
		}
		if err := l.mix(&c.Sections, &m, prefix, path); err != nil {
			return err
		}
	}
	return nil
}

// mix adds the names of one mixin. All must begin with the prefix, and none may exist already.
func (l *loader) mix(to, from *Sections, prefix, path string) *Error {
	a := adder{positions: l.decoder.positions, prefix: prefix, path: path}
	addNames(&a, "handler", "handlers", &to.Handlers, from.Handlers)
	addNames(&a, "authorizer", "authorizers", &to.Authorizers, from.Authorizers)
	addNames(&a, "session-pool", "session_pools", &to.SessionPools, from.SessionPools)
	addNames(&a, "http-destination", "http_destinations", &to.HTTPDestinations, from.HTTPDestinations)
	addNames(&a, "nats-destination", "nats_destinations", &to.NATSDestinations, from.NATSDestinations)
	addNames(&a, "ldap-destination", "ldap_destinations", &to.LDAPDestinations, from.LDAPDestinations)
	addNames(&a, "network", "networks", (*map[string][]netip.Prefix)(&to.Networks), from.Networks)
	addNames(&a, "log-format", "log_formats", &to.LogFormats, from.LogFormats)
	addNames(&a, "disk-pools", "disk_pools", &to.DiskPools, from.DiskPools)
	return a.err
}

// adder remembers the first mistake of a mixin.
type adder struct {
	positions    map[string]Pos
	prefix, path string
	err          *Error
}

func addNames[K ~string, V any](a *adder, kind, section string, to *map[K]V, from map[K]V) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if a.err != nil {
			return
		}
		text := ""
		if _, exists := (*to)[name]; exists {
			text = fmt.Sprintf("mixin %q has overlapping %s %q", a.path, kind, name)
		}
		if !strings.HasPrefix(string(name), a.prefix) {
			text = fmt.Sprintf("mixin %q has %s named %q without prefix %q", a.path, kind, name, a.prefix)
		}
		if text != "" {
			a.err = checkError(a.positions["."+section+"."+string(name)], "%s", text)
			return
		}
		if *to == nil {
			*to = map[K]V{}
		}
		(*to)[name] = from[name]
	}
}

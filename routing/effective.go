package routing

import (
	"cmp"
	"slices"
	"strings"
)

// Effective returns all routes that follow from some rules, sorted by key: each rule with the authorizer in effect, and
// the implicit routes to DefaultHandler. Handlers are never inherited, authorizers are (configuration §3.4).
func Effective(rules []Rule) []Route {
	r := resolver{authorizers: make(map[Key]string, len(rules))}
	have := make(map[Key]bool, len(rules))
	for _, rule := range rules {
		have[rule.Key] = true
		if rule.Target.Authorizer != "" {
			r.authorizers[rule.Key] = rule.Target.Authorizer
		}
	}
	out := make([]Route, 0, 2*len(rules))
	for _, rule := range rules {
		out = append(out, Route{Key: rule.Key, Handler: rule.Target.Handler, Authorizer: r.authorizer(rule.Key)})
	}
	implicit := func(k Key) {
		if !have[k] {
			have[k] = true
			out = append(out, Route{Key: k, Handler: DefaultHandler, Authorizer: r.authorizer(k), Implicit: true})
		}
	}
	for _, rule := range rules {
		root := rule.Key
		root.Path = ""
		implicit(root)
		if !root.Any && !root.Star {
			// An exact host takes its subdomains, too, whatever "*" or a parent domain would do with them.
			implicit(Key{Host: root.Host, Star: true})
		}
	}
	slices.SortFunc(out, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Key.HostText(), b.Key.HostText()), cmp.Compare(a.Key.Path, b.Key.Path))
	})
	return out
}

// resolver knows which rules name an authorizer.
type resolver struct{ authorizers map[Key]string }

// authorizer looks for the authorizer of a route: its own, that of an enclosing path of the same host entry, that of
// the root of the nearest star host, that of "*".
func (r resolver) authorizer(k Key) string {
	if a, ok := r.path(k); ok {
		return a
	}
	for host := k.Host; !k.Any; {
		if a, ok := r.authorizers[Key{Host: host, Star: true}]; ok {
			return a
		}
		_, parent, ok := strings.Cut(host, ".")
		if !ok {
			break
		}
		host = parent
	}
	if a, ok := r.authorizers[Key{Any: true}]; ok {
		return a
	}
	return DefaultAuthorizer
}

// path looks at the key's own path and at those that enclose it, nearest first, ending with the root.
func (r resolver) path(k Key) (string, bool) {
	for p := k.Path; ; p = p[:strings.LastIndexAny(p, "/?#")] {
		k.Path = p
		if a, ok := r.authorizers[k]; ok {
			return a, true
		}
		if p == "" {
			return "", false
		}
	}
}

package config

import (
	"strings"
)

// checkRouting checks that the handlers and authorizers that routes name exist, and that www redirects are where they
// can work.
func (l *loader) checkRouting(c *Config) *Error {
	for _, r := range c.Routing {
		pos := l.decoder.positions[".routing."+r.Key.String()]
		h, ok := c.Handlers[r.Target.Handler]
		if !ok {
			return checkError(pos, "handler handler%q not found", r.Target.Handler)
		}
		if a := r.Target.Authorizer; a != "" {
			if _, ok := c.Authorizers[a]; !ok {
				return checkError(pos, "authorizer auth%q not found", a)
			}
		}
		_, strips := h.(StripWWWRedirectHandler)
		// Star hosts are not checked: they may match hosts that begin with "www.".
		if strips && !r.Key.Star && !r.Key.Any && !strings.HasPrefix(r.Key.Host, "www.") {
			return checkError(pos, "routing table error: Host %q does not start with `www.` "+
				"(required for StripWWWRedirect handler)", r.Key.Host)
		}
	}
	return nil
}

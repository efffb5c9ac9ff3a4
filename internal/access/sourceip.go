package access

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/swindon-go/swindon/internal/web"
)

// SourceIP lets requests go on by the client's address (configuration §4.3). It is immutable.
type SourceIP struct {
	allowed   []netip.Prefix
	noNetwork bool
	name      string
	trusted   []netip.Prefix
	header    string // canonical; empty for none
}

// NewSourceIP returns the authorizer of a configuration. A network that is not defined is no error: as the allowed
// one it denies everybody, as the trusted one it trusts nobody.
func NewSourceIP(cfg SourceIPConfig, networks Networks) *SourceIP {
	s := &SourceIP{name: cfg.AllowedNetwork}
	allowed, ok := networks[cfg.AllowedNetwork]
	s.allowed, s.noNetwork = allowed, !ok
	if cfg.AcceptForwardedHeadersFrom != "" {
		s.trusted = networks[cfg.AcceptForwardedHeadersFrom]
	}
	if cfg.ForwardedIPHeader != "" {
		s.header = http.CanonicalHeaderKey(cfg.ForwardedIPHeader)
	}
	return s
}

// Authorize returns 0 to let the request go on, else 403. Its reasons go to the record's Allow and Deny, which are
// shown as debug headers.
func (s *SourceIP) Authorize(r *http.Request, rec *web.Record) int {
	ip := rec.Peer
	if via, ok := find(s.trusted, ip); ok {
		rec.Allow = append(rec.Allow, "forwarded-from "+via)
		if s.header != "" {
			if ip, ok = forwarded(r.Header, s.header, ip); !ok {
				rec.Deny = "invalid-source-ip-from-header"
				return http.StatusForbidden
			}
		}
	}
	if s.noNetwork {
		rec.Deny = "no-network " + s.name
		return http.StatusForbidden
	}
	subnet, ok := find(s.allowed, ip)
	if !ok {
		rec.Deny = "source-ip " + ip.String()
		return http.StatusForbidden
	}
	rec.Allow = append(rec.Allow, "source-ip "+subnet)
	return 0
}

// forwarded takes the client's address from the last header of a name; peer when there is none. It fails when one of
// them is not exactly one address. A header that Connection names is meant for the proxy before us and is not looked
// at (RFC 9110 §7.6.1).
func forwarded(h http.Header, name string, peer netip.Addr) (netip.Addr, bool) {
	values := h[name]
	if len(values) == 0 || hopByHop(h["Connection"], name) {
		return peer, true
	}
	for _, v := range values {
		ip, err := netip.ParseAddr(strings.TrimSpace(v))
		if err != nil || ip.Zone() != "" {
			return netip.Addr{}, false
		}
		peer = ip.Unmap()
	}
	return peer, true
}

func hopByHop(connection []string, name string) bool {
	for _, line := range connection {
		for tok := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(tok), name) {
				return true
			}
		}
	}
	return false
}

// find returns the first subnet that holds an address, as it was written in the configuration. Families never match
// each other.
func find(subnets []netip.Prefix, ip netip.Addr) (string, bool) {
	for _, p := range subnets {
		if p.Contains(ip) {
			return p.String(), true
		}
	}
	return "", false
}

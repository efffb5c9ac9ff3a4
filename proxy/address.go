package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is the port of an address that names none (configuration §2.8).
const defaultPort = 80

// errAddress says that a configured address has none of the legal forms.
var errAddress = errors.New("no legal address")

// address is one configured backend address: either fixed, or a name to be resolved.
type address struct {
	text  string         // as configured
	fixed netip.AddrPort // valid for addresses without a name
	name  string         // to be resolved; empty for fixed ones
	port  uint16
	// service marks a name that begins with "_": it is legal and never resolves.
	service bool
}

// parseAddress reads an address as it stands in a configuration: an IP, "IP:port", "[IPv6]:port", a host name with or
// without port, or a service name, which begins with an underscore.
func parseAddress(s string) (address, error) {
	a := address{text: s, port: defaultPort}
	if strings.HasPrefix(s, "_") {
		a.service = true
		return a, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		a.fixed = netip.AddrPortFrom(ip.Unmap(), defaultPort)
		return a, nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		a.fixed = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		return a, nil
	}
	name, port, found := strings.Cut(s, ":")
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || strings.HasPrefix(port, "+") {
			return a, fmt.Errorf("%w: bad port in %q", errAddress, s)
		}
		a.port = uint16(n)
	}
	if !validHostName(name) {
		return a, fmt.Errorf("%w: bad host name in %q", errAddress, s)
	}
	a.name = name
	return a, nil
}

// validHostName tells whether a name consists of dot-separated labels of lower-case letters, digits, "-" and "_" that
// neither begin nor end with "-". One trailing dot is legal.
func validHostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// parseAddress reads an address as it stands in `listen` and `addresses` and completes it to "host:port". A service
// name ("_…") stays as it is: it never resolves. Errors are host names that no name server would know.
func parseAddress(s string, port uint16) (string, error) {
	if strings.HasPrefix(s, "_") {
		return s, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, port).String(), nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String(), nil
	}
	host, portText, given := strings.Cut(s, ":")
	if given {
		n, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return "", fmt.Errorf("invalid port in address %q", s)
		}
		port = uint16(n)
	}
	if !isHostName(host) {
		return "", fmt.Errorf("invalid host name in address %q", s)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

// isHostName tells whether s has dot-separated labels of lower-case letters, digits, "-" and "_". A label may not begin
// or end with "-"; one dot may stand at the end.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

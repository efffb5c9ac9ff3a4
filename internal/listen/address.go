package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the port of an address without one.
const DefaultPort = 80

// ErrName says that an address is neither an IP address nor a host name.
var ErrName = errors.New("bad host name")

// Address is one entry of a `listen` list.
type Address struct {
	// IP is set when the entry is a literal address.
	IP netip.Addr
	// Name is the host name otherwise.
	Name string
	Port uint16
	// Service says that the entry is a service name ("_…"). There is no resolver for these: it has no addresses.
	Service bool
}

// ParseAddress reads "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]:80", "name" or "name:80" (configuration
// §2.8). Names are lower-case labels of letters, digits, "-" and "_"; others are ErrName.
func ParseAddress(s string) (Address, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return Address{IP: ip, Port: DefaultPort}, nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return Address{IP: ap.Addr(), Port: ap.Port()}, nil
	}
	if strings.HasPrefix(s, "_") {
		return Address{Name: s, Service: true}, nil
	}
	a := Address{Name: s, Port: DefaultPort}
	if name, port, ok := strings.Cut(s, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return Address{}, fmt.Errorf("%w %q: bad port", ErrName, s)
		}
		a.Name, a.Port = name, uint16(n)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(a.Name, "."), ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, badLetter) {
			return Address{}, fmt.Errorf("%w %q", ErrName, s)
		}
	}
	return a, nil
}

func badLetter(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

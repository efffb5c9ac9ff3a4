package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/unit"
)

// scalarTypes are the types that are read from one text and that have rules of their own. What is missing here is read
// by its reflect.Kind.
var scalarTypes = map[reflect.Type]func(text string) (any, error){
	durationType:                      func(s string) (any, error) { return unit.ParseDuration(s) },
	reflect.TypeFor[netip.Prefix]():   func(s string) (any, error) { return parseSubnet(s) },
	reflect.TypeFor[edge.LogFormat](): func(s string) (any, error) { return parseLogFormat(s) },
	reflect.TypeFor[gateway.Compatibility](): func(s string) (any, error) {
		return parseCompatibility(s)
	},
	reflect.TypeFor[names.Pool](): func(s string) (any, error) { return parsePool(s) },
	reflect.TypeFor[names.Destination](): func(s string) (any, error) {
		d, err := names.ParseDestination(s)
		if err != nil {
			return d, fmt.Errorf("Invalid upstream: %q", s) //nolint:staticcheck // the text is known from the original
		}
		return d, nil
	},
}

var errIdentifier = errors.New("invalid character in identifier")

// isScalarType tells whether values of t are read from one text.
func isScalarType(t reflect.Type) bool {
	if _, ok := scalarTypes[t]; ok {
		return true
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint32, reflect.String:
		return true
	}
	return false
}

// wanted names what a key expects, as the messages do.
func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64, t.Kind() == reflect.Uint32:
		if _, own := scalarTypes[t]; !own {
			return "number"
		}
	}
	return "string"
}

// parsePool reads the name of a session pool.
func parsePool(s string) (names.Pool, error) {
	switch {
	case s == "":
		return "", errors.New("the name of a session pool is empty")
	case !names.IsIdentifier(s):
		return "", errIdentifier
	}
	p, err := names.ParsePool(s)
	if err != nil {
		return "", fmt.Errorf("the name of a session pool has %d bytes at most", names.MaxRoot)
	}
	return p, nil
}

// parseSubnet reads "IP" or "IP/BITS"; a bare IPv4 address means its /24, a bare IPv6 address itself (configuration
// §4.2, decision D35). The address is not masked: it is shown as it was written.
func parseSubnet(s string) (netip.Prefix, error) {
	text, bits, masked := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("invalid IP address %q", text)
	}
	if !masked {
		if ip.Is4() {
			return netip.PrefixFrom(ip, 24), nil
		}
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	n, err := strconv.ParseUint(bits, 10, 16)
	if err != nil || int(n) > ip.BitLen() {
		return netip.Prefix{}, fmt.Errorf("invalid subnet mask %q, Mask must be %d at max", bits, ip.BitLen())
	}
	return netip.PrefixFrom(ip, int(n)), nil
}

// parseBool takes two words only.
func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("bad boolean %q", s)
}

// formatValue writes a value as it could stand in a file; ok is false for types that do not come as one text, or that
// have no text of their own.
func formatValue(v reflect.Value) (text string, ok bool) {
	switch {
	case v.Type() == durationType:
		return formatDuration(time.Duration(v.Int())), true
	case v.Type() == reflect.TypeFor[gateway.Compatibility]():
		return "v0.7.0", v.Int() == int64(gateway.Latest)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint32:
		return strconv.FormatUint(v.Uint(), 10), true
	case reflect.String:
		return v.String(), true
	}
	return "", false
}

// formatDuration writes a duration with the largest unit that leaves a whole number.
func formatDuration(d time.Duration) string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}} {
		if d != 0 && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	if d == 0 {
		return "0s"
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}

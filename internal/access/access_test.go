package access_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/access"
	"github.com/swindon-go/swindon/internal/web"
)

func TestSourceIP(t *testing.T) {
	t.Parallel()
	nets := access.Networks{
		"proxies":  {netip.MustParsePrefix("127.0.0.1/24")},
		"internal": {netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("8.0.0.0/8"), netip.MustParsePrefix("8.8.0.0/16"), netip.MustParsePrefix("2001:db8::1/32")},
		"all":      {netip.MustParsePrefix("0.0.0.0/0")},
		"none":     {},
	}
	forwarding := access.SourceIPConfig{AllowedNetwork: "internal", ForwardedIPHeader: "X-Real-Ip", AcceptForwardedHeadersFrom: "proxies"}
	for _, tc := range []struct {
		name    string
		cfg     access.SourceIPConfig
		peer    string
		headers []string // "Name: value"
		status  int
		allow   string
		deny    string
	}{
		{"in the network", access.SourceIPConfig{AllowedNetwork: "internal"}, "10.1.2.3", nil, 0, "source-ip 10.0.0.0/8", ""},
		{"first subnet is reported as written", access.SourceIPConfig{AllowedNetwork: "internal"}, "8.8.1.1", nil, 0, "source-ip 8.0.0.0/8", ""},
		{"ipv6 as written", access.SourceIPConfig{AllowedNetwork: "internal"}, "2001:db8:1::7", nil, 0, "source-ip 2001:db8::1/32", ""},
		{"not in the network", access.SourceIPConfig{AllowedNetwork: "internal"}, "4.4.4.4", nil, 403, "", "source-ip 4.4.4.4"},
		{"families do not match", access.SourceIPConfig{AllowedNetwork: "all"}, "::1", nil, 403, "", "source-ip ::1"},
		{"empty network", access.SourceIPConfig{AllowedNetwork: "none"}, "10.0.0.1", nil, 403, "", "source-ip 10.0.0.1"},
		{"undefined network", access.SourceIPConfig{AllowedNetwork: "nope"}, "10.0.0.1", nil, 403, "", "no-network nope"},
		{"undefined network, forwarded", access.SourceIPConfig{AllowedNetwork: "nope", AcceptForwardedHeadersFrom: "proxies"}, "127.0.0.9", nil, 403, "forwarded-from 127.0.0.1/24", "no-network nope"},
		{"forwarded and allowed", forwarding, "127.0.0.1", []string{"X-Real-IP: 8.8.8.8"}, 0, "forwarded-from 127.0.0.1/24, source-ip 8.0.0.0/8", ""},
		{"forwarded and denied", forwarding, "127.0.0.1", []string{"X-Real-IP: 4.4.4.4"}, 403, "forwarded-from 127.0.0.1/24", "source-ip 4.4.4.4"},
		{"last header counts", forwarding, "127.0.0.1", []string{"X-Real-IP: 8.8.8.8", "X-Real-IP: 4.4.4.4"}, 403, "forwarded-from 127.0.0.1/24", "source-ip 4.4.4.4"},
		{"one bad header denies", forwarding, "127.0.0.1", []string{"X-Real-IP: x", "X-Real-IP: 8.8.8.8"}, 403, "forwarded-from 127.0.0.1/24", "invalid-source-ip-from-header"},
		{"a list is not an address", forwarding, "127.0.0.1", []string{"X-Real-IP: 8.8.8.8, 8.8.8.9"}, 403, "forwarded-from 127.0.0.1/24", "invalid-source-ip-from-header"},
		{"a zone is not an address", forwarding, "127.0.0.1", []string{"X-Real-IP: fe80::1%eth0"}, 403, "forwarded-from 127.0.0.1/24", "invalid-source-ip-from-header"},
		{"mapped address", forwarding, "127.0.0.1", []string{"X-Real-IP: ::ffff:8.8.8.8"}, 0, "forwarded-from 127.0.0.1/24, source-ip 8.0.0.0/8", ""},
		{"no header: the peer", forwarding, "127.0.0.1", nil, 403, "forwarded-from 127.0.0.1/24", "source-ip 127.0.0.1"},
		{"header from a stranger is ignored", forwarding, "4.4.4.4", []string{"X-Real-IP: 8.8.8.8"}, 403, "", "source-ip 4.4.4.4"},
		{"hop-by-hop header is ignored", forwarding, "127.0.0.1", []string{"Connection: close, x-real-ip", "X-Real-IP: 8.8.8.8"}, 403, "forwarded-from 127.0.0.1/24", "source-ip 127.0.0.1"},
		{
			"header not configured",
			access.SourceIPConfig{AllowedNetwork: "proxies", AcceptForwardedHeadersFrom: "proxies"},
			"127.0.0.1",
			[]string{"X-Real-IP: 8.8.8.8"},
			0, "forwarded-from 127.0.0.1/24, source-ip 127.0.0.1/24", "",
		},
		{"trusted network undefined", access.SourceIPConfig{AllowedNetwork: "internal", ForwardedIPHeader: "x-real-ip", AcceptForwardedHeadersFrom: "nope"}, "127.0.0.1", []string{"X-Real-IP: 8.8.8.8"}, 403, "", "source-ip 127.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, h := range tc.headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Add(name, value)
			}
			rec := &web.Record{Peer: netip.MustParseAddr(tc.peer)}
			status := access.NewSourceIP(tc.cfg, nets).Authorize(r, rec)
			if got := strings.Join(rec.Allow, ", "); status != tc.status || got != tc.allow || rec.Deny != tc.deny {
				t.Errorf("got %d, allow %q, deny %q", status, got, rec.Deny)
			}
		})
	}
}

func TestAllowAllLeavesNoTrace(t *testing.T) {
	t.Parallel()
	rec := &web.Record{}
	if status := (access.AllowAll{}).Authorize(nil, rec); status != 0 || rec.Allow != nil || rec.Deny != "" {
		t.Errorf("got %d, %+v", status, rec)
	}
}

func TestUnsupportedNeverAllows(t *testing.T) {
	t.Parallel()
	if status := (access.Unsupported{}).Authorize(nil, &web.Record{}); status != http.StatusNotImplemented {
		t.Errorf("got %d", status)
	}
}

func TestSourceIPWithoutPeer(t *testing.T) {
	t.Parallel()
	rec := &web.Record{}
	s := access.NewSourceIP(access.SourceIPConfig{AllowedNetwork: "n"}, access.Networks{"n": {netip.MustParsePrefix("::/0")}})
	if status := s.Authorize(httptest.NewRequest(http.MethodGet, "/", nil), rec); status != http.StatusForbidden {
		t.Errorf("a request without an address got %d", status)
	}
}

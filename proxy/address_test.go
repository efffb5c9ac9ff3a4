package proxy

import (
	"net/netip"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		fixed string
		name  string
		port  uint16
	}{
		{"1.2.3.4", "1.2.3.4:80", "", 80},
		{"1.2.3.4:81", "1.2.3.4:81", "", 80},
		{"2001:db8::1", "[2001:db8::1]:80", "", 80},
		{"[2001:db8::1]:81", "[2001:db8::1]:81", "", 80},
		{"[::ffff:1.2.3.4]:81", "1.2.3.4:81", "", 80},
		{"example.com", "", "example.com", 80},
		{"my_app-1:8080", "", "my_app-1", 8080},
		{"example.com.:1", "", "example.com.", 1},
	} {
		a, err := parseAddress(tt.in)
		var fixed netip.AddrPort
		if tt.fixed != "" {
			fixed = netip.MustParseAddrPort(tt.fixed)
		}
		if err != nil || a.fixed != fixed || a.name != tt.name || a.port != tt.port || a.service {
			t.Errorf("%q: %+v, %v", tt.in, a, err)
		}
	}
	for _, in := range []string{"", ":80", "Example.com", "a b", "-a.com", "a-.com", "a..b", "a:", "a:65536", "a:-1", "a:+1", "a:b", "1.2.3.4:99999", "ü"} {
		if a, err := parseAddress(in); err == nil {
			t.Errorf("%q is taken for %+v", in, a)
		}
	}
	if a, err := parseAddress("_http._tcp.example.com"); err != nil || !a.service || a.name != "" || a.fixed.IsValid() {
		t.Errorf("service name: %+v, %v", a, err)
	}
}

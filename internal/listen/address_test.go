package listen_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/swindon-go/swindon/internal/listen"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2001:db8::1")
	for in, want := range map[string]listen.Address{
		"1.2.3.4":            {IP: v4, Port: 80},
		"1.2.3.4:8080":       {IP: v4, Port: 8080},
		"2001:db8::1":        {IP: v6, Port: 80},
		"[2001:db8::1]:8080": {IP: v6, Port: 8080},
		"localhost":          {Name: "localhost", Port: 80},
		"a-b_c.example.:81":  {Name: "a-b_c.example.", Port: 81},
		"_http._tcp.example": {Name: "_http._tcp.example", Service: true},
	} {
		got, err := listen.ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", ":80", "Upper", "-a", "a-", "a..b", "a b", "a:", "a:x", "a:65536", "a:1:2", "é"} {
		if got, err := listen.ParseAddress(in); !errors.Is(err, listen.ErrName) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("1.2.3.4:80")
	f.Add("[::1]:1")
	f.Add("name.:80")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := listen.ParseAddress(s)
		if err == nil && (a.Name == "") == !a.IP.IsValid() {
			t.Errorf("%q is neither name nor address: %+v", s, a)
		}
	})
}

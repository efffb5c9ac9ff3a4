package dev_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/dev"
)

var update = flag.Bool("update", false, "rewrite the expected configurations")

// Each configuration is also read by the real parser: what --show-config prints is what swindon runs.
func TestConfig(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]dev.Options{
		"readme":      {Routes: []string{"./public", "/api/=http://localhost:8111"}},
		"subdomains":  {Routes: []string{"a b/\"c", "sub=http://h:1/p/", "sub/x/=./dir", "/=./root"}},
		"crossdomain": {Routes: []string{"./public", "/api=http://localhost"}, CrossDomain: true},
		"lattice": {
			Routes: []string{"./public"}, Lattices: []string{"/ws=http://localhost:8111", "/two/=http://127.0.0.1:8112/app/"},
			NATS: "127.0.0.1:4222", NATSCalls: []string{"pizza.*"},
		},
		"empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if o.Port == 0 {
				o.Port = dev.DefaultPort
			}
			got, err := dev.Config(o)
			if name == "subdomains" {
				// "./dir" and "a b" are for different keys, but "/=" and a bare DEST are for the same one.
				if err == nil || !strings.Contains(err.Error(), "both for localhost") {
					t.Fatalf("err = %v", err)
				}
				o.Routes = o.Routes[:3]
				got, err = dev.Config(o)
			}
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
			if _, err := config.FromBytes("<generated>", []byte(got)); err != nil {
				t.Errorf("swindon does not take it: %v", err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    dev.Options
		want string
	}{
		{dev.Options{Routes: []string{"/api=https://h"}}, "http:// only"},
		{dev.Options{Routes: []string{"/api="}}, "is expected after"},
		{dev.Options{Routes: []string{"/a b=./x"}}, "character that no path has"},
		{dev.Options{Routes: []string{"SUB=./x"}}, "no subdomain"},
		{dev.Options{Routes: []string{"/a=http://"}}, "no host"},
		{dev.Options{Routes: []string{"/a=http://h?q"}}, "expected http://host"},
		{dev.Options{Routes: []string{"/a=./x", "/a/=./y"}}, `"/a=./x" and "/a/=./y" are both for localhost/a`},
		{dev.Options{Lattices: []string{"/ws"}}, "expected PATTERN="},
		{dev.Options{NATS: "127.0.0.1:4222"}, "needs a gateway route"},
		{dev.Options{Lattices: []string{"/ws=http://h"}, NATSCalls: []string{"a.*"}}, "needs a listener"},
		{dev.Options{Lattices: []string{"/ws=http://h"}, APIPort: 8000}, "is the port of the page"},
		{dev.Options{Port: 65536}, "1 to 65535"},
		{dev.Options{Port: 65535, Lattices: []string{"/ws=http://h"}}, "1 to 65535"},
	} {
		if c.o.Port == 0 {
			c.o.Port = dev.DefaultPort
		}
		if _, err := dev.Config(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
